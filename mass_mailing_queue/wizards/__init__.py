from . import mail_compose_message
from . import mailing_queue_send
