from . import mailing_mailing
from . import mailing_queue_alert
from . import mailing_queue_diagnosis
from . import mailing_queue_metrics
from . import mailing_queue_rehearsal
from . import queue_job_channel
