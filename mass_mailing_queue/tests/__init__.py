from . import test_control
from . import test_deliver
from . import test_hooks
from . import test_modules
from . import test_plan
from . import test_queue_job
from . import test_replies
from . import test_rights
