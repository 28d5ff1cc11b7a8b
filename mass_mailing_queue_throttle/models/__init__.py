from . import mailing_provider
from . import mailing_provider_live
from . import mailing_provider_quota
from . import mailing_provider_limit
from . import mailing_provider_state
from . import mailing_provider_stat
from . import ir_mail_server
from . import mailing_mailing
