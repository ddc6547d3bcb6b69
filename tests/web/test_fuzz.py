"""The API, asked by a machine whatever its document allows, and what it does not: each answer is one of those told of.

`FUZZ_EXAMPLES=2000 .venv/bin/pytest tests/web/test_fuzz.py` asks for longer, as often as one likes.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from lzsyncd.ledger.status import Status
from lzsyncd.web.api import OPERATIONS, RECEIVE
from lzsyncd.web.described import Described
from lzsyncd.web.store import Role, kept
from lzsyncd.zone.database import opened

from .conftest import NOW, Page, make_page
from .test_decisions import put

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
DESCRIBED = [*(operation.described for operation in OPERATIONS), RECEIVE]
TOKEN = "acme.fuzz-secret"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A site with a past, a set that is held, and a token that may do everything."""
    page = make_page(tmp_path_factory.mktemp("fuzzed"), "sqlite")
    put(page, Status.HELD)
    with kept(page.site) as store:
        store.add_token("fuzz", Role.ADMIN, TOKEN, NOW)
    return page


def runs_of(page: Page) -> list[str]:
    with opened(page.site) as database:
        return [str(row[0]) for row in database.rows("SELECT id FROM sync_run ORDER BY id")]


@pytest.fixture(scope="module")
def api(site: Page):
    return schemathesis.openapi.from_asgi("/api/openapi.json", site.app)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("told", DESCRIBED, ids=lambda told: f"{told.method} {told.path}")
def test_every_answer_is_one_that_the_document_tells_of(site: Page, api, told: Described, mode: GenerationMode):
    operation = api[told.path][told.method]
    runs = runs_of(site)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.sampled_from([*runs, ""]))
    def ask(case: schemathesis.Case, run: str) -> None:
        left_out = [ignored_auth]  # it asks again without our header; `test_api` asks everything without a token
        if run and "run" in case.path_parameters:  # by chance nobody finds one
            case.path_parameters["run"] = run
            left_out.append(negative_data_rejection)  # what was wrong may have been just that
        case.call_and_validate(headers={"authorization": f"Bearer {TOKEN}"}, excluded_checks=left_out)

    ask()
