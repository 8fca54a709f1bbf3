from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.dates import http_date

NOW = 1_767_225_600  # Thu, 01 Jan 2026 00:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("Tue, 19 Jan 2038 14:14:08 GMT", 2_147_523_248, id="after the end of 32 bits"),
        pytest.param("Sun, 21 Nov 2286 04:46:39 GMT", 10_000_039_599, id="far"),
        pytest.param("Thursday, 18-Aug-50 02:01:18 GMT", 2_544_400_878, id="RFC 850"),
        pytest.param("Thursday, 18-Aug-94 02:01:18 GMT", 777_175_278, id="RFC 850, past"),
        pytest.param("Saturday, 18-Jul-76 00:00:00 GMT", 3_362_256_000, id="RFC 850, 50 years ahead"),
        pytest.param("Monday, 18-Jul-77 00:00:00 GMT", 238_032_000, id="RFC 850, 51 years ahead is in the past"),
        pytest.param("Thu Aug  8 02:01:18 2050", 2_543_536_878, id="asctime"),
        pytest.param("THU, 18 AUG 2050 02:01:18 gMT", 2_544_400_878, id="any case"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", 0, id="the beginning"),
        pytest.param("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200, id="a leap day and a leap second"),
        pytest.param("Thu, 18 Aug 2050 02:01:18 UTC", None, id="UTC"),
        pytest.param("Thu, 18 Aug 2050 02:01:18 AEST", None, id="a time zone"),
        pytest.param("Thu, 18 Aug 50 02:01:18 GMT", None, id="two digits"),
        pytest.param("Thu 18 Aug 2050 02:01:18 GMT", None, id="no comma"),
        pytest.param("Thu, 18  Aug  2050 02:01:18 GMT", None, id="two spaces"),
        pytest.param("Thu, 18-Aug-2050 02:01:18 GMT", None, id="dashes"),
        pytest.param("Thu, 18 Aug 2050 02.01.18 GMT", None, id="points"),
        pytest.param("Thu, 18 Aug 2050 2:01:18 GMT", None, id="one digit"),
        pytest.param("Thu, 18 Foo 2050 02:01:18 GMT", None, id="no month"),
        pytest.param("Thu, 01 Dec 2050 00:00:00 GMT", 2_553_465_600, id="first day of the last month"),
        pytest.param("Thu, 31 Aug 2050 23:59:59 GMT", 2_545_603_199, id="last day, hour, minute and second"),
        pytest.param("Thu, 00 Aug 2050 02:01:18 GMT", None, id="day 0"),
        pytest.param("Thu, 32 Aug 2050 02:01:18 GMT", None, id="day 32"),
        pytest.param("Thu, 18 Aug 2050 24:01:18 GMT", None, id="hour 24"),
        pytest.param("Thu, 18 Aug 2050 02:60:18 GMT", None, id="minute 60"),
        pytest.param("Thu, 18 Aug 2050 02:01:61 GMT", None, id="second 61"),
        pytest.param("Sun, 06 Nov 0000 08:49:37 GMT", None, id="the year 0"),
        pytest.param("Sun Nov  6 08:49:37 0000", None, id="the year 0, asctime"),
        pytest.param("Sunday, 06-Nov-00 08:49:37 GMT", 973_500_577, id="RFC 850, two zeros are the year 2000"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800, id="the first year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799, id="the last year"),
        pytest.param("0", None, id="zero"),
        pytest.param("Thu, 18 Aug 2050 02:01:18 GMT".ljust(100), 2_544_400_878, id="of the greatest length"),
        pytest.param("Thu, 18 Aug 2050 02:01:18 GMT".ljust(101), None, id="longer"),
    ],
)
def test_a_date_is_read_in_the_three_formats_of_http(text: str, seconds: int | None) -> None:
    assert http_date(text, now=NOW) == seconds


@given(st.integers(-(2**31), 2**37))
def test_a_date_is_the_time_that_it_names(moment: int) -> None:
    written = format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)

    assert http_date(written, now=NOW) == moment
