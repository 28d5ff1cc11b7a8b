from . import mail_compose_message
from . import mailing_queue_send
from . import mailing_queue_diagnosis
from . import mailing_queue_diagnosis_mailing
from . import mailing_queue_diagnosis_system
from . import mailing_queue_diagnosis_words
from . import mailing_queue_diagnosis_latency
