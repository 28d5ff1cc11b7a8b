from . import queue_job_channel
