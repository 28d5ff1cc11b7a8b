from . import test_diagnosis_findings
from . import test_help
from . import test_presets
from . import test_provider
from . import test_provider_live
from . import test_provider_quota
from . import test_limiter
from . import test_rehearsal
