"""The token of the operator, which requests that change something must have."""

import hmac

from imgcdn.core.setting import Secret
from imgcdn.errors import Unauthorized
from imgcdn.web.request import Request


def check_token(request: Request, expected: Secret) -> None:
    """
    Check that a request has the operator's token: `Authorization: Bearer TOKEN` (RFC 6750, section 2.1).

    Args:
        expected: The setting `admin_token`, which is not empty.

    Raises:
        Unauthorized: It has none, or another one.
    """
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthorized("Send the service's admin_token: Authorization: Bearer TOKEN", log="no token was sent")
    # In constant time, so that the time of a refusal reveals nothing of the token.
    if not hmac.compare_digest(token.strip(), expected.text.encode()):
        raise Unauthorized("Send the service's admin_token: Authorization: Bearer TOKEN", log="the token is wrong")
