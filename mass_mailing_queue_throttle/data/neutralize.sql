-- A neutralized copy asks no provider and sends nothing.
UPDATE mailing_provider
   SET paused = true,
       pause_reason = 'This database was neutralized.',
       api_key_id = NULL,
       api_secret = NULL,
       api_endpoint = NULL;
