# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time
from datetime import datetime, timedelta, timezone

from odoo.tests import BaseCase, tagged

from ..replies import MAX_TEXT, Reply, Verdict, classify

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

# verdict, limit, account
RATE = ("SLOW_DOWN", "rate", False)
CONNECTIONS = ("SLOW_DOWN", "connections", False)
HOUR = ("SLOW_DOWN", "hour", False)
DAY = ("SLOW_DOWN", "day", False)
MONTH = ("SLOW_DOWN", "month", False)
ACCOUNT = ("BROKEN", "", True)
SENDER = ("BROKEN", "", False)
REJECTED = ("REJECTED", "", False)
DEFERRED = ("DEFERRED", "", False)
UNREACHABLE = ("UNREACHABLE", "", False)
IN_DOUBT = ("IN_DOUBT", "", False)

# code, text, command → what it means
PROVIDERS = [
    # Amazon SES
    (454, "Throttling failure: Maximum sending rate exceeded", "data", RATE),
    (454, "Throttling failure: Daily message quota exceeded", "data", DAY),
    (421, "Too many concurrent SMTP connections", "connect", CONNECTIONS),
    (554, "Message rejected: Sending paused for this account.", "data", ACCOUNT),
    (554, "Message rejected: Email address is not verified.", "data", SENDER),
    (554, "Access denied: User `x' is not authorized to perform `y'", "data", ACCOUNT),
    (535, "Authentication Credentials Invalid", "auth", ACCOUNT),
    # Google
    (450, "4.2.1 Peak SMTP relay limit exceeded for customer.", "data", RATE),
    (450, "4.2.1 Peak SMTP relay limit exceeded for customer.", "rcpt", RATE),
    (550, "5.7.1 Daily SMTP relay limit exceeded for customer.", "rcpt", DAY),
    (550, "5.4.5 Daily SMTP relay limit exceeded for user.", "data", DAY),
    (550, "5.4.5 Daily user sending limit exceeded.", "data", DAY),
    (550, "5.4.5 Daily user sending quota exceeded.", "rcpt", DAY),
    (
        454,
        "4.7.0 Too many login attempts, please try again later.",
        "auth",
        CONNECTIONS,
    ),
    (421, "4.7.0 Our system has detected an unusual rate of mail", "data", RATE),
    (421, "4.4.5 Server busy, try again later.", "connect", RATE),
    # Microsoft 365
    (432, "4.3.2 Concurrent connections limit exceeded.", "mail", CONNECTIONS),
    (
        432,
        "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
        "data",
        CONNECTIONS,
    ),
    (432, "4.3.2 try later", "data", RATE),
    (
        554,
        "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; "
        "Failed to process message due to a permanent exception",
        "data",
        DAY,
    ),
    (
        550,
        "5.1.90 You have reached your daily limit for message recipients",
        "data",
        DAY,
    ),
    (550, "5.1.90 no more", "rcpt", DAY),
    (550, "5.7.232 no more", "data", DAY),
    (550, "5.7.233 Your tenant has exceeded its limit", "data", DAY),
    (550, "5.1.8 Access denied, bad outbound sender", "data", ACCOUNT),
    (550, "5.7.705 Access denied, tenant has exceeded threshold", "data", ACCOUNT),
    (
        550,
        "5.7.708 Service unavailable. Traffic not accepted from this IP",
        "data",
        ACCOUNT,
    ),
    (
        550,
        "5.7.30 Basic authentication is not supported for Client Submission.",
        "mail",
        ACCOUNT,
    ),
    (
        535,
        "5.7.139 SmtpClientAuthentication is disabled for the Tenant",
        "auth",
        ACCOUNT,
    ),
    (
        554,
        "5.2.2 mailbox full; STOREDRV.Submission.Exception:"
        "QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
        "data",
        ACCOUNT,
    ),
    (
        554,
        "5.2.252 SendAsDenied; a@b.com not allowed to send as c@d.com",
        "data",
        SENDER,
    ),
    # Mailgun
    (
        421,
        "Domain example.com is not allowed to send: recipient limit exceeded, "
        "try again after Sun, 01 Mar 2026 12:30:00 UTC",
        "data",
        HOUR,
    ),
    (
        421,
        "Domain x.mailgun.org is not allowed to send: Sandbox subdomains are for "
        "test purposes only.",
        "data",
        ACCOUNT,
    ),
    (
        421,
        "Domain x.mailgun.org is not allowed to send: Please activate",
        "data",
        ACCOUNT,
    ),
    # SendGrid
    (451, "Authentication failed: Maximum credits exceeded", "auth", MONTH),
    (451, "You've exceeded your messaging limits", "data", DAY),
    (
        535,
        "Authentication failed: The provided authorization grant is invalid",
        "auth",
        ACCOUNT,
    ),
    (
        550,
        "The from address does not match a verified Sender Identity.",
        "data",
        SENDER,
    ),
    # Postmark
    (
        550,
        "The 'From' address is not a Sender Signature on your account",
        "data",
        SENDER,
    ),
    # Brevo
    (502, "5.7.0 Your SMTP account is not yet activated", "mail", ACCOUNT),
    (
        450,
        "4.7.1 Unable to relay. Your SMTP account is not yet activated.",
        "rcpt",
        ACCOUNT,
    ),
    (525, "5.7.1 Unauthorized IP address", "auth", ACCOUNT),
    # SparkPost
    (550, "5.7.1 Exceed Sending Limit (daily)", "data", DAY),
    (550, "5.7.1 Exceed Sending Limit (hourly)", "data", HOUR),
    (550, "5.7.1 Exceed Sending Limit (monthly)", "data", MONTH),
    (550, "5.7.1 Exceed Sending Limit (sandbox)", "data", ACCOUNT),
    # IONOS: as it is on the line, and as smtplib hands it on
    (
        450,
        "450-Requested mail action not taken: mailbox unavailable\n"
        "450 Mail send limit exceeded.",
        "rcpt",
        HOUR,
    ),
    (
        450,
        "Requested mail action not taken: mailbox unavailable\n"
        "Mail send limit exceeded.",
        "data",
        HOUR,
    ),
    # OVH: also when it blocked the account for spam
    (535, "5.7.1 Authentication failed", "auth", ACCOUNT),
    # cPanel
    (
        550,
        "Domain x.com has exceeded the max emails per hour (125/100) allowed.",
        "data",
        HOUR,
    ),
    # Postfix
    (
        421,
        "4.7.0 host Error: too many connections from 192.0.2.1",
        "connect",
        CONNECTIONS,
    ),
    (450, "4.7.1 Error: too much mail from 192.0.2.1", "mail", RATE),
    (452, "4.5.3 Error: too many recipients", "rcpt", RATE),
    (552, "5.3.4 Message size exceeds fixed limit", "mail", REJECTED),
    (552, "5.3.4 Error: message file too big", "data", REJECTED),
]

AMBIGUOUS = [
    # A recipient's mailbox is not our quota
    (452, "4.2.2 mailbox quota exceeded", "rcpt", DEFERRED),
    (
        452,
        "4.2.2 The email account that you tried to reach is over quota",
        "rcpt",
        DEFERRED,
    ),
    (552, "5.2.2 user is over quota", "rcpt", REJECTED),
    (552, "Mailbox message limit exceeded", "data", REJECTED),
    (
        450,
        "4.2.1 The user you are trying to contact is receiving mail at a rate",
        "rcpt",
        DEFERRED,
    ),
    (450, "Requested mail action not taken: mailbox unavailable", "rcpt", DEFERRED),
    (452, "4.5.3 Your message has too many recipients.", "data", DEFERRED),
    (550, "5.5.3 too many recipients", "rcpt", REJECTED),
    # A recipient's account is not ours
    (
        550,
        "5.2.1 The email account that you tried to reach is disabled.",
        "rcpt",
        REJECTED,
    ),
    (
        550,
        "5.2.1 The email account that you tried to reach is disabled.",
        "data",
        REJECTED,
    ),
    (550, "This account is disabled", "rcpt", REJECTED),
    (550, "5.7.1 account suspended", "rcpt", REJECTED),
    (550, "5.7.1 Your account has been suspended", "rcpt", ACCOUNT),
    (550, "The sending account is blocked", "data", ACCOUNT),
    (550, "5.7.1 account has been suspended", "mail", ACCOUNT),
    # The sender's address, which Postfix judges at RCPT
    (
        553,
        "5.7.1 <a@b.com>: Sender address rejected: not owned by user x",
        "rcpt",
        SENDER,
    ),
    (
        450,
        "4.1.8 <a@b.com>: Sender address rejected: Domain not found",
        "rcpt",
        UNREACHABLE,
    ),
    (
        550,
        "5.1.1 <a@b.com>: Recipient address rejected: host said: Sender address",
        "rcpt",
        REJECTED,
    ),
    (553, "5.7.1 sender not owned by user", "mail", SENDER),
    (550, "5.1.7 Invalid sender", "data", SENDER),
    # An IP address is not an enhanced code
    (450, "Client 192.5.1.8 has to wait", "rcpt", DEFERRED),
    (550, "5.1.8.20 is not welcome", "rcpt", REJECTED),
    # The codes alone
    (550, "5.1.1 no such user", "rcpt", REJECTED),
    (451, "4.3.0 try later", "rcpt", DEFERRED),
    (451, "4.3.0 try later", "mail", RATE),
    (552, "Message size exceeds maximum value", "mail", REJECTED),
    (530, "5.7.0 Authentication required", "rcpt", ACCOUNT),
    (535, "5.7.8 bad credentials", "auth", ACCOUNT),
    (454, "4.7.0 Temporary authentication failure", "auth", UNREACHABLE),
    (554, "no service here", "connect", UNREACHABLE),
    (421, "4.3.2 shutting down", "mail", RATE),
    (421, "4.4.2 closing", "rcpt", UNREACHABLE),
    # Neither yes nor no, whatever the words
    (-1, "rate limit exceeded", "data", IN_DOUBT),
    (354, "5.4.5 Daily user sending limit exceeded", "mail", UNREACHABLE),
]

# What people were told in the field, and what the servers meant
FIELD = [
    (
        421,
        "4.4.2 Message submission rate for this client has exceeded the "
        "configured limit",
        "mail",
        RATE,
    ),
    (451, '4.7.1 Ratelimit "user" exceeded', "data", RATE),
    (
        554,
        "5.7.0 Your message could not be sent. The limit on the number of allowed"
        " outgoing messages was exceeded. Try again later.",
        "data",
        RATE,
    ),
    (550, "5.7.1 <DATA>: Data command rejected: only 10 messages per day", "data", DAY),
    (550, "send spam mail rejected: exceeded hour limit", "data", HOUR),
    (451, "Sorry, too busy. Try again later.", "rcpt", RATE),
    (451, "Sender rate exceeds 100 messages per 1h", "rcpt", HOUR),
    (
        450,
        "4.7.1 <name@example.com>: Recipient address rejected: Policy Rejection- "
        "Quota Exceeded.",
        "rcpt",
        RATE,
    ),
    (
        450,
        "4.7.1 <user@example.com>: Sender address rejected: sorry, max 2 requests"
        " per hour.",
        "rcpt",
        HOUR,
    ),
    (
        554,
        "5.7.1 <user@example.com>: Sender address rejected: Number recipients per"
        " hour exceeded",
        "rcpt",
        HOUR,
    ),
    (550, "Connection frequency limited", "mail", RATE),
    (452, "Too many recipients received this hour", "rcpt", HOUR),
    (550, "5.7.1 Email quota exceeded.", "data", RATE),
    (
        421,
        "4.7.0 IP not in whitelist for RCPT domain, closing connection.",
        "rcpt",
        DEFERRED,
    ),
    (
        550,
        "5.7.0 Mail relay denied [192.0.2.1]. Invalid credentials for relay",
        "rcpt",
        ACCOUNT,
    ),
    (
        554,
        "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionS"
        "endAsDenied; Failed to process message due to a permanent exception with"
        " message",
        "data",
        SENDER,
    ),
    (
        554,
        "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to "
        "process message due to a permanent exception with message WASCL "
        "UserAction verdict is not None",
        "data",
        ACCOUNT,
    ),
    (550, "5.7.64 TenantAttribution; Relay Access Denied", "rcpt", ACCOUNT),
    (
        550,
        "5.7.750 Service unavailable. Client blocked from sending from "
        "unregistered domains.",
        "data",
        ACCOUNT,
    ),
    (432, "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", "data", DEFERRED),
    (
        550,
        "5.2.253 Sender throttled due to continuous invalid license errors",
        "data",
        ACCOUNT,
    ),
    (
        554,
        "Message rejected: Sending suspended for this account. For more "
        "information, please check the inbox of the email address associated with"
        " your AWS account.",
        "data",
        ACCOUNT,
    ),
    (550, "Relay access denied - please authenticate", "rcpt", ACCOUNT),
    (
        550,
        "5.4.6 Unusual sending activity detected. Please try after sometime",
        "data",
        ACCOUNT,
    ),
    (553, "Relaying disallowed as news@example.com", "data", SENDER),
    (550, "5.7.1 Relaying denied", "rcpt", ACCOUNT),
    (554, "5.7.1 <a@example.com>: Relay access denied", "rcpt", ACCOUNT),
    (
        554,
        "5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
        "rcpt",
        ACCOUNT,
    ),
    (
        450,
        "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]",
        "rcpt",
        UNREACHABLE,
    ),
    (
        554,
        "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
        "zen.spamhaus.org",
        "rcpt",
        ACCOUNT,
    ),
    (
        450,
        "4.1.8 <news@example.org>: Sender address rejected: Domain not found",
        "rcpt",
        UNREACHABLE,
    ),
    (550, "relay not permitted", "rcpt", ACCOUNT),
    (
        550,
        "Please turn on SMTP Authentication in your mail client. host.example.com"
        " [192.0.2.1]:5000 is not permitted to relay through this server without "
        "authentication.",
        "rcpt",
        ACCOUNT,
    ),
    (421, "4.7.1 Greylisted, try again in 300 seconds", "rcpt", DEFERRED),
    (
        550,
        "5.7.1 Message rejected: too many messages like this to this recipient",
        "data",
        REJECTED,
    ),
    (550, "No such user: daily-limit@example.com", "rcpt", REJECTED),
    (
        550,
        "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient daily-limit@example.com"
        " not found",
        "rcpt",
        REJECTED,
    ),
]

# Other servers' words for the same
SIBLINGS = [
    # Mailboxes that have limits, too
    (552, "5.2.2 Mailbox over its quota for the last 30 days", "rcpt", REJECTED),
    (
        550,
        "5.2.1 mailbox disabled, not used in the last 12 months (limit)",
        "rcpt",
        REJECTED,
    ),
    (452, "4.2.2 mailbox limited to 100 messages per hour", "rcpt", DEFERRED),
    (550, "5.7.1 recipient's daily message quota exceeded", "rcpt", REJECTED),
    (450, "4.2.0 recipient mailbox is too busy", "rcpt", DEFERRED),
    # Exim, cPanel, Plesk, DirectAdmin
    (
        550,
        "Domain example.com has exceeded the max defers and failures per hour "
        "(5/5 (100%)) allowed. Message discarded.",
        "data",
        HOUR,
    ),
    (
        550,
        "User example has an outgoing mail suspension.  Message discarded.",
        "rcpt",
        ACCOUNT,
    ),
    (550, 'Outgoing mail from "news@example.com" has been suspended.', "data", ACCOUNT),
    (550, "Sender verify failed", "rcpt", SENDER),
    (550, "relay not permitted, authentication required", "rcpt", ACCOUNT),
    (550, "authentication required", "rcpt", REJECTED),
    (
        421,
        "Too many concurrent SMTP connections from this IP address; please try "
        "again later.",
        "connect",
        CONNECTIONS,
    ),
    (421, "Too many messages in one connection", "mail", UNREACHABLE),
    (
        450,
        "Could not complete recipient verify callout: mx.example.net [192.0.2.9] "
        "said: daily limit exceeded",
        "rcpt",
        DEFERRED,
    ),
    (550, "You have reached your daily email limit at example.com", "data", DAY),
    # Postfix and its policies (policyd, cbpolicyd, postfwd, Postgrey, SQLgrey)
    (
        450,
        "4.7.1 <localhost>: Helo command rejected: Host not found",
        "rcpt",
        UNREACHABLE,
    ),
    (
        504,
        "5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
        "rcpt",
        ACCOUNT,
    ),
    (
        550,
        "5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
        "rcpt",
        ACCOUNT,
    ),
    (
        554,
        "5.7.1 Service unavailable; Helo command [mail.example.com] blocked using"
        " dbl.example.net",
        "rcpt",
        ACCOUNT,
    ),
    (
        554,
        "5.7.1 Service unavailable; Unverified Client host [mail.example.com] "
        "blocked using dbl.example.net",
        "rcpt",
        ACCOUNT,
    ),
    (
        554,
        "5.7.1 Service unavailable; Sender address [news@example.com] blocked "
        "using dbl.example.net",
        "rcpt",
        SENDER,
    ),
    (
        554,
        "5.7.1 Service unavailable; Recipient address [ann@example.net] blocked "
        "using dbl.example.net",
        "rcpt",
        REJECTED,
    ),
    (
        550,
        "5.1.0 <news@example.com>: Sender address rejected: User unknown in "
        "virtual mailbox table",
        "rcpt",
        SENDER,
    ),
    (
        553,
        "5.7.1 <news@example.com>: Sender address rejected: not logged in",
        "rcpt",
        SENDER,
    ),
    (
        504,
        "5.5.2 <news@example>: Sender address rejected: need fully-qualified address",
        "rcpt",
        SENDER,
    ),
    (454, "4.7.1 <ann@example.net>: Relay access denied", "rcpt", UNREACHABLE),
    (
        450,
        "4.1.1 <ann@example.net>: Recipient address rejected: unverified address:"
        " host mx.example.net[192.0.2.9] said: 550 5.4.5 Daily user sending limit"
        " exceeded",
        "rcpt",
        DEFERRED,
    ),
    (
        550,
        "5.1.1 <ann@example.net>: Recipient address rejected: undeliverable "
        "address: host mx.example.net[192.0.2.9] said: 554 Relay access denied",
        "rcpt",
        REJECTED,
    ),
    (
        450,
        "4.7.1 <ann@example.net>: Recipient address rejected: Greylisted for 5 minutes",
        "rcpt",
        DEFERRED,
    ),
    (
        450,
        "4.2.0 <ann@example.net>: Recipient address rejected: Greylisted, see "
        "http://postgrey.example.net/help/ann.html",
        "rcpt",
        DEFERRED,
    ),
    (
        554,
        "5.7.1 <ann@example.net>: Recipient address rejected: Policy rejection; "
        "Message count quota exceeded",
        "rcpt",
        RATE,
    ),
    (
        450,
        "4.7.1 <news@example.com>: Sender address rejected: sorry, max 100 "
        "recipients per day",
        "rcpt",
        DAY,
    ),
    (
        451,
        "4.3.5 <ann@example.net>: Recipient address rejected: Server "
        "configuration problem",
        "rcpt",
        UNREACHABLE,
    ),
    (451, "4.3.5 Server configuration error", "rcpt", UNREACHABLE),
    (452, "4.3.1 Insufficient system storage", "mail", UNREACHABLE),
    (
        450,
        "4.7.1 Error: too many connections from unknown[192.0.2.1]",
        "rcpt",
        CONNECTIONS,
    ),
    (421, "4.7.0 mail.example.com Error: too many errors", "rcpt", UNREACHABLE),
    (530, "5.7.0 Must issue a STARTTLS command first", "mail", ACCOUNT),
    (
        552,
        "5.2.2 <ann@example.net>: Recipient address rejected: Mailbox is full",
        "rcpt",
        REJECTED,
    ),
    (
        451,
        "4.7.1 Greylisting in action, please come back in 00:04:59",
        "rcpt",
        DEFERRED,
    ),
    # Sendmail
    (
        550,
        "5.7.1 <ann@example.net>... Relaying denied. Proper authentication required.",
        "rcpt",
        ACCOUNT,
    ),
    (
        550,
        "5.7.1 <ann@example.net>... Relaying denied. IP name lookup failed [192.0.2.1]",
        "rcpt",
        ACCOUNT,
    ),
    (
        553,
        "5.1.8 <news@example.com>... Domain of sender address news@example.com "
        "does not exist",
        "mail",
        SENDER,
    ),
    (
        451,
        "4.1.8 Domain of sender address news@example.com does not resolve",
        "mail",
        UNREACHABLE,
    ),
    (421, "4.3.2 Connection rate limit exceeded.", "connect", CONNECTIONS),
    (421, "4.3.2 Too many open connections.", "connect", CONNECTIONS),
    (452, "4.4.5 Insufficient disk space; try again later", "mail", UNREACHABLE),
    # qmail
    (
        553,
        "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "rcpt",
        ACCOUNT,
    ),
    (
        553,
        "sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
        "rcpt",
        SENDER,
    ),
    (550, "sorry, no mailbox here by that name (#5.1.1)", "rcpt", REJECTED),
    # hMailServer, MDaemon
    (550, "Delivery is not allowed to this address.", "rcpt", ACCOUNT),
    (530, "SMTP authentication is required.", "rcpt", ACCOUNT),
    (451, "Greylisted, please try again in 900 seconds", "rcpt", DEFERRED),
    # Microsoft Exchange and 365
    (
        550,
        "5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "rcpt",
        ACCOUNT,
    ),
    (550, "5.7.1 Unable to relay", "rcpt", ACCOUNT),
    (
        421,
        "4.3.2 The maximum number of concurrent connections has exceeded a limit,"
        " closing transmission channel",
        "connect",
        CONNECTIONS,
    ),
    (452, "4.3.1 Insufficient system resources", "mail", UNREACHABLE),
    (
        451,
        "4.7.0 Temporary server error. Please try again later. PRX2",
        "rcpt",
        UNREACHABLE,
    ),
    (
        550,
        "5.7.60 SMTP; Client does not have permissions to send as this sender",
        "data",
        SENDER,
    ),
    (550, "5.7.1 Submission has been disabled for this account", "mail", ACCOUNT),
    (
        530,
        "5.7.57 SMTP; Client was not authenticated to send anonymous mail during "
        "MAIL FROM",
        "mail",
        ACCOUNT,
    ),
    (
        451,
        "4.7.500 Server busy. Please try again later from [192.0.2.1].",
        "rcpt",
        RATE,
    ),
    (
        451,
        "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited "
        "due to IP reputation.",
        "mail",
        RATE,
    ),
    (550, "5.7.501 Access denied, spam abuse detected", "data", ACCOUNT),
    (550, "5.7.502 Access denied, banned sender", "data", SENDER),
    (550, "5.7.606 Access denied, banned sending IP [192.0.2.1]", "rcpt", ACCOUNT),
    (550, "5.7.511 Access denied, banned sender[192.0.2.1]", "rcpt", ACCOUNT),
    (
        550,
        "5.2.121 The recipient has exceeded their limit for the number of "
        "messages they can receive per hour from this sender",
        "data",
        REJECTED,
    ),
    (
        550,
        "5.2.122 The recipient has exceeded their limit for the number of "
        "messages they can receive per hour.",
        "rcpt",
        REJECTED,
    ),
    (
        550,
        "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP "
        "address lookup",
        "data",
        REJECTED,
    ),
    # Google
    (421, "4.7.0 TLS required for RCPT domain, closing connection.", "rcpt", DEFERRED),
    (
        421,
        "4.7.28 Our system has detected an unusual rate of unsolicited mail "
        "originating from your IP address.",
        "data",
        RATE,
    ),
    (
        550,
        "5.7.1 The IP you're using to send mail is not authorized to send email "
        "directly to our servers.",
        "data",
        ACCOUNT,
    ),
    (
        550,
        "5.7.25 The IP address sending this message does not have a PTR record setup",
        "data",
        ACCOUNT,
    ),
    (
        550,
        "5.7.26 This mail has been blocked because the sender is unauthenticated.",
        "data",
        SENDER,
    ),
    (
        450,
        "4.2.1 The user you are trying to contact is receiving mail too quickly.",
        "rcpt",
        DEFERRED,
    ),
    (
        550,
        "5.7.1 Invalid credentials for relay [192.0.2.1]. The IP address you've "
        "registered does not match",
        "rcpt",
        ACCOUNT,
    ),
    (452, "4.2.2 The recipient's inbox is out of storage space.", "rcpt", DEFERRED),
    (
        452,
        "4.5.3 Domain policy size per transaction exceeded, please try this "
        "recipient in a separate transaction.",
        "rcpt",
        DEFERRED,
    ),
    (421, "4.3.0 Temporary System Problem. Try again later", "rcpt", UNREACHABLE),
    # Amazon SES, SendGrid, Postmark, Mailgun, SparkPost, Brevo, Mailtrap
    (451, "4.4.2 Timeout waiting for data from client.", "data", DEFERRED),
    (550, "Unauthenticated senders not allowed", "rcpt", ACCOUNT),
    (
        550,
        "While your account is pending approval, all recipient addresses must "
        "share the same domain",
        "data",
        ACCOUNT,
    ),
    (550, "5.7.1 Unconfigured Sending Domain <example.com>", "data", SENDER),
    (550, "5.7.0 Requested action not taken: too many emails per second", "data", RATE),
    (550, "5.7.1 relaying denied", "rcpt", ACCOUNT),
    # IONOS, GoDaddy, Zoho, Yandex, iCloud, Tencent, Yahoo
    (
        550,
        "Requested action not taken: mailbox unavailable\nSender address is not "
        "allowed.",
        "mail",
        SENDER,
    ),
    (
        550,
        "User news@example.com has exceeded its 24-hour sending limit. Messages "
        "to 250 recipients out of 250 allowed have been sent. Relay quota will "
        "reset in 1.53 hours.",
        "rcpt",
        DAY,
    ),
    (554, "5.1.8 Email Outgoing Blocked", "data", ACCOUNT),
    (553, "5.7.1 Sender address rejected: not owned by auth user.", "mail", SENDER),
    (
        450,
        "4.2.1 The recipient has exceeded message rate limit. Try again later.",
        "rcpt",
        DEFERRED,
    ),
    (550, "5.7.0 From address is not one of your addresses", "mail", SENDER),
    (550, "Ip frequency limited", "mail", RATE),
    (550, "Domain frequency limited", "data", RATE),
    (
        421,
        "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to "
        "unexpected volume or user complaints",
        "mail",
        RATE,
    ),
    (
        553,
        "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because "
        "the ip is in Spamhaus's list",
        "connect",
        UNREACHABLE,
    ),
]


@tagged("-at_install", "post_install")
class TestReplies(BaseCase):
    """Replies are understood as their authors meant them."""

    def _check(self, table):
        for code, text, command, expected in table:
            with self.subTest(code=code, text=text, command=command):
                reply = classify(code, text, command, NOW)
                self.assertEqual(
                    (reply.verdict.name, reply.limit, reply.account), expected
                )

    def test_providers(self):
        """Each provider's own replies have the meaning that it documents."""
        self._check(PROVIDERS)

    def test_ambiguous(self):
        """A recipient's trouble is not taken for ours, nor ours for a recipient's."""
        self._check(AMBIGUOUS)

    def test_field(self):
        """Replies that were met are read as the people who met them read them."""
        self._check(FIELD)

    def test_no_recipient_steers(self):
        """Whatever an address says, the refusal of it is about this recipient alone."""
        for text, address in (
            ("No such user: daily-limit@example.com", "daily-limit@example.com"),
            ("No such user: DAILY-LIMIT", "daily-limit@example.com"),
            ("unknown user: ratelimit", "ratelimit@example.com"),
            ("mailbox 'ratelimit' unavailable", "ratelimit@example.com"),
            ("daily has exceeded the disk limit", "daily@example.com"),
            ("5.4.5 is not known here", "5.4.5@example.com"),
            ("<5.4.5@example.com> is unknown", "5.4.5@example.com"),
            ("rate-limit.example: host not found", "ann@rate-limit.example"),
            ("mx.ratelimit.example: no route", "ann@ratelimit.example"),
            ("xn--ratelimit-j4a.example: no route", "ann@ratelimité.example"),
            ('"daily limit"@example.com unknown', '"daily limit"@example.com'),
            ("daily limit: unknown", '"daily limit"@example.com'),
            ("b+ratelimit=example.com@a.example: no", "ratelimit@example.com"),
            ("ratelimit%40example.com: no", "ratelimit@example.com"),
            # to which it is forwarded
            ("ratelimit@example.net: no", "ann@example.com"),
        ):
            with self.subTest(text=text):
                reply = classify(550, text, "rcpt", NOW, [address])
                self.assertEqual((reply.verdict, reply.limit), (Verdict.REJECTED, ""))
                self.assertEqual((reply.text, reply.enhanced), (text, ""))
        text = "try-again-in-2-days@example.com: later"
        address = "try-again-in-2-days@example.com"
        self.assertIsNone(classify(450, text, "rcpt", NOW, [address]).until)

    def test_a_plain_word_is_read_unless_it_stands_for_an_address(self):
        """A genuine refusal is heard also if a recipient is called like it."""
        for text, limit in (
            ("5.4.5 Daily user sending limit exceeded", "day"),
            ("Daily limit exceeded", "day"),
            ("Domain x is not allowed to send: recipient limit exceeded", "hour"),
        ):
            for name in ("daily", "sending", "limit", "exceeded", "quota"):
                with self.subTest(text=text, name=name):
                    found = classify(550, text, "rcpt", NOW, [f"{name}@example.com"])
                    self.assertEqual(found.limit, limit)

    def test_whose_own_refusal_it_is(self):
        """Greylisting and full mailboxes are the recipient's, and nobody else's."""
        for code, text, own in (
            (421, "4.7.1 Greylisted, try again in 300 seconds", True),
            (450, "4.2.0 graylisted", True),
            (452, "4.2.2 mailbox full", True),
            (452, "4.2.2 over quota", True),
            (432, "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", True),
            (552, "5.2.2 mailbox full", False),
            (450, "4.2.0 later", False),
            (550, "5.1.1 unknown", False),
            (451, "4.7.1 Rate limit exceeded", False),
        ):
            with self.subTest(text=text):
                self.assertEqual(classify(code, text, "rcpt", NOW).own, own)

    def test_siblings(self):
        """Other servers that say the same in other words are understood, too."""
        self._check(SIBLINGS)

    def test_case_of_letters_and_line_breaks_do_not_matter(self):
        for code, text, command, expected in PROVIDERS:
            reply = classify(code, text.upper().replace(" ", "\r\n "), command, NOW)
            with self.subTest(text=text):
                self.assertEqual(
                    (reply.verdict.name, reply.limit, reply.account), expected
                )

    def test_until(self):
        """When to try again is read from the reply."""
        for text, seconds in (
            ("try again after Sun, 01 Mar 2026 12:30:00 UTC", 1800),
            ("try again after Sun, 01 Mar 2026 12:30:00 GMT )", 1800),
            ("try again after 1 Mar 2026 13:30:00 +0100", 1800),
            ("try again after Sun, 01 Mar 2026 12:30:00", 1800),
            ("Too many messages. Try again in 92 seconds.", 92),
            ("please retry after 300 seconds", 300),
            ("greylisted, try again in 5 minutes", 300),
            ("try again in about 2 hours", 7200),
            ("retry in 1 day", 86400),
            ("Rate limited. Retry-After: 30", 30),
            ("slow down, retry-after: 2 minutes", 120),
            ("too fast, wait 20 s", 20),
            ("please wait for 45 seconds before you send again", 45),
            ("throttled, try again in 250 ms", 0.25),
            ("please try again in an hour", 3600),
            ("try again after one minute", 60),
            ("you may retry in 10min", 600),
            ("Greylisted for 4m59s", 299),
            ("greylisted, try again in 1 hour and 30 minutes", 5400),
            ("Greylisting in action, please come back in 00:04:59", 299),
            ("Relay quota will reset in 1.5 hours.", 5400),
            ("try again later (in 2 hours)", 7200),
            ("your address is blocked for 2 days", 172800),
        ):
            with self.subTest(text=text):
                until = classify(451, text, "data", NOW).until
                self.assertEqual(until, NOW + timedelta(seconds=seconds))
                self.assertEqual(until.utcoffset(), timedelta(0))

    def test_absurd_until_is_ignored(self):
        """A date that is malformed, past or far away is none, and never an error."""
        for text in (
            "try again later",
            "try again after Sun, 01 Mar 2026 11:59:59 UTC",
            "try again after Wed, 15 Apr 2026 12:00:00 UTC",
            "try again after Sun, 99 Mar 2026 12:30:00 UTC",
            "try again after Sun, 01 Foo 2026 12:30:00 UTC",
            "try again after Sun, 01 Mar 0000 12:30:00 UTC",
            "try again after Sun, 01 Mar 2026 25:61:00 UTC",
            "try again after Fri, 31 Dec 9999 23:59:59 -9999",
            "try again after <date>",
            "try again in 0 seconds",
            "try again in 9999999 days",
            "try again in 99999999999999 seconds",
            "retry in 6 months",
            "try again in 5",
            "try again in 5 attempts",
            "wait as long as you can",
            "wait -5 seconds",
            "retry-after: 0",
            "retry-after: 9999999",
            "come back in 00:00:00",
            "10 messages in 24 hours, try again later",
            "try again in 9999999 d 9999999 d 9999999 d",
        ):
            with self.subTest(text=text):
                self.assertIsNone(classify(451, text, "data", NOW).until)

    def test_until_only_where_something_is_tried_again(self):
        text = "5.1.1 no such user, try again in 5 minutes"
        self.assertIsNone(classify(550, text, "rcpt", NOW).until)

    def test_until_needs_no_clock_given(self):
        until = classify(451, "try again in 5 minutes", "data").until
        self.assertGreater(until, datetime.now(timezone.utc))

    def test_long_and_strange_texts(self):
        """A server cannot keep us busy, nor make us store what PostgreSQL refuses."""
        texts = [
            piece * (1_000_000 // len(piece))
            for piece in (
                "x",
                " ",
                "\0",
                "5.",
                "exceeded ",
                "domain x",
                "mailbox account daily hourly ",
                "sender address rejecte",
                "try again after ",
            )
        ]
        start = time.monotonic()
        for text in texts:
            reply = classify(450, text, "rcpt", NOW)
            self.assertLessEqual(len(reply.text), MAX_TEXT)
            self.assertNotIn("\0", reply.text)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(classify(450, "too\0much mail", "mail").limit, "rate")
        self.assertEqual(classify(550, None, "rcpt").verdict, Verdict.REJECTED)

    def test_fields_have_defaults(self):
        reply = Reply(Verdict.SENT, 250, "2.0.0", "ok")
        self.assertEqual((reply.limit, reply.until, reply.account), ("", None, False))
