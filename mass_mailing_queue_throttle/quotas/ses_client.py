# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""How Amazon SES is asked, and what its errors are in words."""

import logging
import re
from contextlib import closing

from .base import QuotaError, check_endpoint, check_key

_logger = logging.getLogger(__name__)

#: Seconds to connect, and between two pieces of an answer.
TIMEOUTS = (5, 10)

#: Attempts at a request, the first one included.
ATTEMPTS = 2

#: Errors that a policy causes.
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

NOT_ALLOWED = (
    "The access key may not read the quota of Amazon SES: allow it ses:GetAccount or "
    "ses:GetSendQuota."
)
NOT_ACCEPTED = (
    "Amazon SES does not accept the access key: check the key, its secret and the "
    "region."
)
SENTENCES = {
    **dict.fromkeys(DENIED, NOT_ALLOWED),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "AuthFailure",
            "401",
            "403",
        ),
        NOT_ACCEPTED,
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException"),
        "The access key of Amazon SES has expired: make a new one.",
    ),
    **dict.fromkeys(
        ("RequestExpired", "RequestTimeTooSkewed"),
        "Amazon SES refuses the request as out of date: set the clock of this server.",
    ),
    **dict.fromkeys(
        ("OptInRequired", "SubscriptionRequiredException"),
        "Amazon SES is not activated for this account in this region.",
    ),
    **dict.fromkeys(
        (
            "TooManyRequestsException",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestLimitExceeded",
            "429",
        ),
        "Amazon SES was asked too often: try again in a minute.",
    ),
}


class Refused(QuotaError):
    """The server answered with an error. Caught where another request may do."""

    def __init__(self, code):
        """
        :param str code: the error's code, or the status of the answer
        """
        self.code = code
        if code in SENTENCES:
            sentence = SENTENCES[code]
        elif re.fullmatch(r"5\d\d|Internal\w*|ServiceUnavailable\w*", code):
            sentence = "Amazon SES has trouble of its own: try again later."
        else:
            sentence = "Amazon SES refused to tell its quota."
            # A code is a word; what else may stand there is not repeated.
            if re.fullmatch(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+|\d{3}", code):
                sentence = f"Amazon SES refused to tell its quota ({code})."
        super().__init__(sentence)


def connect(credentials, stack):
    """Return clients of the current and the older interface, closed by `stack`."""
    key_id = check_key("access key ID of Amazon SES", credentials.key_id)
    secret = check_key("secret access key of Amazon SES", credentials.secret)
    endpoint = check_endpoint(credentials.endpoint)
    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)+-\d{1,2}", credentials.region):
        raise QuotaError("The region of Amazon SES is a word such as eu-west-1.")
    try:
        import boto3.session
        from botocore.config import Config
    except ImportError:
        raise QuotaError(
            "Reading the quota of Amazon SES takes the Python package boto3, which is "
            "not installed on this server: pip install boto3."
        ) from None
    connect_timeout, read_timeout = TIMEOUTS
    try:
        config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # What the machine has set for its own use of Amazon's services (a storage
            # of its own, say) is not where these keys are to go.
            ignore_configured_endpoint_urls=True,
        )
    except TypeError:
        # botocore 1.31 brought the last of these.
        raise QuotaError(
            "The Python package boto3 of this server is too old: it takes 1.28 or "
            "later."
        ) from None
    try:
        # Of its own: boto3's default one is shared and not safe in threads.
        session = boto3.session.Session(
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            region_name=credentials.region,
        )
        return [
            stack.enter_context(
                closing(
                    session.client(name, endpoint_url=endpoint or None, config=config)
                )
            )
            for name in ("sesv2", "ses")
        ]
    except Exception as error:
        # Profiles, regions, data files: each has its own exceptions.
        _logger.info("boto3 made no client: %s", type(error).__name__)
        raise QuotaError(
            "The Python package boto3 does not work here: check the region, the "
            "endpoint, and the files of Amazon's tools on this server."
        ) from None


def call(method):
    """Return what a method of a client answers; raise QuotaError for any failure.

    Exceptions are not chained: their texts have parts of the request and the answer.
    """
    from botocore import exceptions

    try:
        return method()
    except exceptions.ClientError as error:
        failure = Refused(_code_of(error.response))
    except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError):
        failure = QuotaError("Amazon SES did not answer in time: try again later.")
    except exceptions.SSLError:
        failure = QuotaError(
            "The certificate of the endpoint of Amazon SES is not to be trusted."
        )
    except (exceptions.HTTPClientError, exceptions.ConnectionError):
        failure = QuotaError(
            "Amazon SES cannot be reached: check the region, the endpoint, and the "
            "network of this server."
        )
    except Exception as error:
        # The library's parsers raise all kinds when an answer is garbage.
        _logger.info("boto3 failed on an answer: %s", type(error).__name__)
        failure = QuotaError(
            "What answered is not Amazon SES, or not as documented: check the endpoint."
        )
    raise failure


def _code_of(response):
    """Return the code of an error, or the status where the answer had no such code."""
    code = str(response.get("Error", {}).get("Code") or "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return code if re.fullmatch(r"[A-Za-z]+", code) or not status else str(status)
