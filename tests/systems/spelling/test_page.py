"""The page of `pyfastlm spell serve` in a real browser: a query changed, a name added, and how it looks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import NEEDED, looking, opened, seen, until

selenium = pytest.importorskip("selenium", reason="needs the extra test")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

pytestmark = NEEDED


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with opened() as driver:
        yield driver


class Page:
    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser = browser
        browser.get_log("browser")
        browser.get(address)

    def text(self, name: str) -> str:
        return str(self.browser.find_element(By.ID, name).text)

    def candidates(self) -> list[str]:
        script = "return [...document.querySelectorAll('#candidates .term')].map((term) => term.textContent)"
        found = self.browser.execute_script(script)
        assert isinstance(found, list)
        return found

    def type(self, text: str) -> None:
        query = self.browser.find_element(By.ID, "query")
        query.send_keys(Keys.CONTROL, "a")
        query.send_keys(Keys.NULL, text)


@pytest.fixture
def page(browser: webdriver.Chrome, address: str) -> Iterator[Page]:
    yield Page(browser, address)
    assert browser.get_log("browser") == []


def test_a_query_is_changed_until_it_is_a_name(page: Page) -> None:
    until(lambda: page.text("size"), "· 12 names")
    page.type("playgra")
    until(lambda: page.text("verdict"), "changed to playgro")
    assert page.candidates() == ["playgro", "playgra"]
    assert page.browser.find_element(By.CSS_SELECTOR, "#candidates .taken .term").text == "playgro"
    scores = [float(one.text) for one in page.browser.find_elements(By.CSS_SELECTOR, "#candidates .score")]
    assert scores[0] > scores[1] == 0
    assert "correction" in page.text("latency")
    assert "round trip" in page.text("latency")
    assert page.text("add") == "Add playgra to the catalogue"
    page.browser.find_element(By.ID, "add").click()
    until(lambda: page.text("verdict"), "safe a name of the catalogue")
    assert page.text("size") == "· 13 names"
    assert page.text("added").startswith("playgra is a name now")
    assert not page.browser.find_element(By.ID, "add").is_displayed()
    page.browser.refresh()
    page.type("playgra")
    until(lambda: page.text("verdict"), "safe a name of the catalogue")


def test_a_new_name_is_left_alone(page: Page) -> None:
    page.type("zenvora")
    until(lambda: page.text("verdict").split()[:2], ["left", "alone"])
    assert "zenvora" in page.candidates()
    page.browser.find_element(By.ID, "clear").click()
    assert page.text("verdict") == ""
    assert page.candidates() == []


def test_texts_are_never_markup(page: Page) -> None:
    page.type("<img src=x onerror=alert(1)>")
    until(lambda: page.text("add"), "Add <img src=x onerror=alert(1)> to the catalogue")
    page.browser.find_element(By.ID, "add").click()
    until(lambda: page.text("size"), "· 13 names")
    assert page.browser.find_elements(By.TAG_NAME, "img") == []


def test_what_the_server_refuses_is_said(browser: webdriver.Chrome, address: str) -> None:
    page = Page(browser, address)
    page.type("日" * 190)
    until(lambda: page.text("empty"), "q: expected at most 512 bytes of UTF-8, got 570")
    assert all("414" in line["message"] for line in browser.get_log("browser"))


@pytest.mark.parametrize(
    ("width", "scheme"), [(1100, "light"), (1100, "dark"), (390, "light"), (320, "dark")]
)
def test_how_it_looks(page: Page, width: int, scheme: str, tmp_path: Path) -> None:
    with looking(page.browser, width, scheme):
        page.type("velora runing shoos")
        until(lambda: page.text("verdict"), "changed to velora running shoes")
        seen(page.browser, scheme, tmp_path / f"{scheme}-{width}.png")
        page.type("w" * 120)
        until(lambda: page.text("verdict").split()[:2], ["left", "alone"])
        seen(page.browser, scheme, tmp_path / f"{scheme}-{width}-long.png")
