"""A database as Airbyte's destination fills it."""

from collections.abc import Iterator

import fakesnow
import pytest
import snowflake.connector

from deploy.tests.snowflake.landing import NO_OPERATION, Landing


@pytest.fixture
def landing() -> Iterator[Landing]:
    with fakesnow.patch(nop_regexes=NO_OPERATION):
        connection = snowflake.connector.connect()
        yield Landing(connection, "grouped_daily", "tickers", "splits", "dividends")
        connection.close()
