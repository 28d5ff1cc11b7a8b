from . import mailing_queue_diagnosis
