"""The console's sign-in: a password or a key, kept for the tab."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import NewPage
from tests.support.console import sign_in
from tests.support.gateway import PASSWORD, Gateway, eventually
from tests.support.two_users import ALICE, KEYS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def gateway(gateway_with: Callable[..., Gateway]) -> Gateway:
    """A gateway with two users beside the operator."""
    return gateway_with(API_KEYS=KEYS)


def test_the_password_is_kept_for_the_tab_and_is_in_no_address(
    page: Page, gateway: Gateway, new_page: NewPage
) -> None:
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    sign_in(page, gateway.url, "admin", PASSWORD, "#/jobs?status=failed")
    expect(page.get_by_role("banner").get_by_text("admin")).to_be_visible()
    page.reload()
    # The link that was opened first is still there.
    expect(page.get_by_role("link", name="Failed")).to_have_attribute("aria-current", "true")
    assert not [each for each in addresses if "rd" in each.partition("?")[2]]
    assert page.context.cookies() == []
    # Another tab has to sign in for itself.
    other = new_page()
    other.goto(gateway.url)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_key_signs_its_user_in_and_out(page: Page, gateway: Gateway) -> None:
    sign_in(page, gateway.url, "", f" {ALICE}\n")
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()
    # What is for the operator is not offered.
    expect(page.get_by_role("link", name="Gateway")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("JSON.stringify({...sessionStorage})").find(ALICE) == -1


def test_a_key_that_is_no_longer_accepted_signs_the_tab_out(page: Page, gateway: Gateway) -> None:
    sign_in(page, gateway.url, "", ALICE)
    page.evaluate("sessionStorage.setItem('claudecode2api.authorization', 'Bearer other')")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("no longer accepts these credentials")


def test_wrong_passwords_and_the_throttle_are_shown_in_the_words_of_the_api(
    page: Page, start_gateway: Callable[..., Gateway]
) -> None:
    # A gateway for itself: it then refuses this address for a minute.
    gateway = start_gateway()
    page.goto(gateway.url)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Invalid credentials")
    eventually(lambda: gateway.ask("GET", "/whoami", auth=("admin", "no")).status_code == 429)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(
        re.compile(r"Too many failed attempts; try again in \d+ s")
    )
    expect(page.get_by_role("button", name=re.compile(r"Wait \d+ s"))).to_be_disabled()
