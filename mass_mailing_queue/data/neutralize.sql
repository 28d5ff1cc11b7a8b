-- A neutralized copy sends nothing: its mailings pause, their jobs are cancelled.
UPDATE mailing_mailing
   SET queue_paused = true,
       queue_pause_reason = 'This database was neutralized.'
 WHERE queue_managed
   AND state IN ('in_queue', 'sending');

UPDATE queue_job
   SET state = 'cancelled',
       date_cancelled = now() AT TIME ZONE 'utc'
 WHERE mailing_id IS NOT NULL
   AND state NOT IN ('done', 'failed', 'cancelled');

-- Whatever is started here later must be started by somebody.
DELETE FROM mailing_queue_guard;
INSERT INTO mailing_queue_guard (id, identity, last_seen)
VALUES (1, 'neutralized', now() AT TIME ZONE 'utc');

-- What was wrong where it came from, and who reads its figures.
DELETE FROM mailing_queue_alert;
DELETE FROM ir_config_parameter
 WHERE key IN (
           'mass_mailing_queue.metrics_token',
           'mass_mailing_queue.alert_user_id',
           'mass_mailing_queue.alert_channel_id'
       );
