"""What each error means, for the page that a problem document links to. Docstrings would vanish with `python -OO`."""

from collections.abc import Mapping

from imgcdn import errors
from imgcdn.errors import ImgcdnError

#: Error -> what happened and who can help. The `detail` of a response says more about its own case.
MEANINGS: Mapping[type[ImgcdnError], str] = {
    errors.BadRequest: "The request breaks a rule of HTTP/1.1. Browsers never send such a request; a program does.",
    errors.InvalidParam: (
        "A query parameter, or a member of a JSON body, is unknown, is repeated or empty, or has a value out of its "
        "range."
    ),
    errors.Unauthorized: "Only the operator may do this: the request needs the token of the setting admin_token.",
    errors.Forbidden: "The source is not allowed, or the signature of the URL is missing, wrong or expired.",
    errors.SourceNotFound: "There is no image at this path, or at the URL that it names.",
    errors.MethodNotAllowed: "The path does not answer this method. The Allow header lists those that it answers.",
    errors.ContentTooLarge: "The body of the request is too long, or it was sent in chunks, without its length.",
    errors.TargetTooLong: "The URL has more characters than the service reads.",
    errors.RangeNotSatisfiable: "The Range header asks for bytes behind the end of the image.",
    errors.ExpectationFailed: "The request has an Expect header other than 100-continue.",
    errors.HeadersTooLarge: "The request has too many headers, or they are too long. Cookies are the usual cause.",
    errors.UnknownVersion: "The request is in a version of HTTP that the service does not speak.",
    errors.OverBudget: "Too many images that had never been made were asked for. Those that exist are still sent.",
    errors.ImageTooLarge: "The original has more bytes or pixels than the service accepts. No other URL for it helps.",
    errors.UnsupportedImage: "The original is not an image, or it has a format that the service does not read.",
    errors.CorruptImage: "The original has a supported format, but it is damaged. Replace it.",
    errors.RenderFailed: "The image could not be rendered in this size and format. Others may succeed.",
    errors.TooCostly: "The image would take far longer than a render may. Ask for a smaller one, or another format.",
    errors.OriginError: "The server that has the original refused, failed, or sent something that cannot be used.",
    errors.OriginBusy: "The server that has the original has too many requests. Try again after a few seconds.",
    errors.OriginTimeout: "The server that has the original took too long to send it. Try again later.",
    errors.Overloaded: "The service has too much to do, or it is about to stop. Try again in a moment.",
    errors.RenderTimeout: "The image was not ready in time. A smaller size takes less time.",
    errors.InternalError: "The service has a fault, which its log describes to its operator.",
}
