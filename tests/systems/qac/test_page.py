"""The page in a real browser: typing, typos, the session, answers that come too late, and how it looks."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import NEEDED, looking, opened, seen, until

selenium = pytest.importorskip("selenium", reason="needs the extra test")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

pytestmark = NEEDED


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with opened() as driver:
        yield driver


class Page:
    """The page, freshly opened."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser = browser
        browser.get(address)
        browser.execute_script("sessionStorage.clear()")
        browser.get_log("browser")
        browser.get(address)
        self.query = self.find("query")

    def find(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def suggestions(self) -> list[str]:
        script = "return [...document.querySelectorAll('#suggestions .term')].map((term) => term.textContent)"
        found = self.browser.execute_script(script)
        assert isinstance(found, list)
        return found

    def past(self) -> list[str]:
        script = "return [...document.querySelectorAll('#past .text')].map((chip) => chip.textContent)"
        found = self.browser.execute_script(script)
        assert isinstance(found, list)
        return found

    def active(self) -> str:
        """The term that the arrows have chosen, as assistive technology sees it."""
        name = self.query.get_attribute("aria-activedescendant")
        if not name:
            return ""
        assert self.find(name).get_attribute("aria-selected") == "true"
        return self.find(name).find_element(By.CLASS_NAME, "term").text

    def type(self, *keys: str) -> None:
        self.query.send_keys(*keys)

    def search(self, text: str) -> None:
        self.type(Keys.CONTROL, "a")
        self.type(Keys.NULL, text, Keys.ENTER)


@pytest.fixture
def page(browser: webdriver.Chrome, address: str) -> Iterator[Page]:
    page = Page(browser, address)
    yield page
    assert browser.get_log("browser") == []


RED = ["red", "red shoes", "red wine", "red shoes for men"]
RECEIPTS = ["receipt", "receipt book", "receptor"]


def test_typing_shows_suggestions(page: Page) -> None:
    assert page.query == page.browser.switch_to.active_element
    assert page.query.get_attribute("aria-expanded") == "false"
    page.type("red")
    until(page.suggestions, RED)
    assert page.query.get_attribute("aria-expanded") == "true"
    assert page.find("state").get_attribute("textContent") == "4 suggestions"
    page.type(" w")
    until(page.suggestions, ["red wine", "red shoes", "red shoes for men"])
    until(lambda: page.browser.find_element(By.CSS_SELECTOR, "#suggestions .typed").text, "red w")
    latency = page.find("latency").text
    assert "µs" in latency or "ms" in latency
    assert "round trip" in latency
    assert "12 terms" in page.find("size").text


def test_a_typo_is_forgiven_while_the_switch_is_on(page: Page) -> None:
    page.type("reciept")
    until(page.suggestions, RECEIPTS)
    tags = [tag.text for tag in page.browser.find_elements(By.CSS_SELECTOR, "#suggestions .tag")]
    assert tags == ["1 typo"] * 3
    page.find("typos").click()
    until(page.suggestions, [])
    until(lambda: page.find("empty").text, "Nothing begins like this.")
    page.find("typos").send_keys(Keys.SPACE)
    until(page.suggestions, RECEIPTS)
    page.type(Keys.ARROW_DOWN, Keys.ENTER)
    assert page.query.get_attribute("value") == "receipt"
    assert page.past() == ["receipt"]


def test_keys_choose_search_and_close(page: Page) -> None:
    page.type("red")
    until(page.suggestions, RED)
    chosen = []
    for key in [Keys.ARROW_DOWN] * 5 + [Keys.ARROW_UP] * 2:
        page.type(key)
        chosen.append(page.active())
    assert chosen == [*RED, "", RED[3], RED[2]]
    page.type(Keys.ENTER)
    assert page.query.get_attribute("value") == "red wine"
    assert page.past() == ["red wine"]
    assert page.suggestions() == []
    page.type(Keys.ARROW_DOWN)
    until(page.suggestions, ["red wine"])
    page.type(Keys.ESCAPE)
    assert page.suggestions() == []
    assert page.query.get_attribute("value") == "red wine"
    page.type(Keys.ESCAPE)
    assert page.query.get_attribute("value") == ""
    page.type("no such term", Keys.ENTER)
    assert page.past() == ["red wine", "no such term"]


def test_a_click_searches_and_the_field_keeps_the_focus(page: Page) -> None:
    page.type("red")
    until(page.suggestions, RED)
    page.browser.find_elements(By.CSS_SELECTOR, "#suggestions li")[1].click()
    assert page.query.get_attribute("value") == "red shoes"
    assert page.query == page.browser.switch_to.active_element
    page.find("clear").click()
    assert page.query.get_attribute("value") == ""
    assert page.query == page.browser.switch_to.active_element


def test_the_session_moves_suggestions_and_can_be_forgotten(page: Page) -> None:
    for text in ("running shoes", "red shoes for men"):
        page.search(text)
    assert page.past() == ["running shoes", "red shoes for men"]
    page.search("red")
    page.find("past").find_elements(By.CLASS_NAME, "remove")[2].click()
    page.type(Keys.CONTROL, "a")
    page.type(Keys.NULL, "red")
    until(lambda: page.suggestions()[:1], ["red shoes for men"])
    assert page.browser.find_element(By.CSS_SELECTOR, "#suggestions .again").text == "again"
    page.browser.refresh()
    page.query = page.find("query")
    assert page.past() == ["running shoes", "red shoes for men"]
    page.type(Keys.CONTROL, "a")
    page.type(Keys.NULL, "red")
    until(lambda: page.suggestions()[:1], ["red shoes for men"])
    for left in (["red shoes for men"], []):
        page.find("past").find_element(By.CLASS_NAME, "remove").click()
        assert page.past() == left
    until(page.suggestions, RED)
    assert page.find("no-past").is_displayed()


def test_an_answer_that_comes_too_late_is_not_shown(page: Page) -> None:
    page.browser.execute_script("""
        const fetched = window.fetch;
        window.late = 0;
        window.fetch = async (address, options) => {
            const slow = new URL(address, location).searchParams.get("q") === "re";
            // The browser of this test does not stop the request, so its answer does come.
            const answer = await fetched(address, slow ? {} : options);
            if (slow) await new Promise((done) => setTimeout(done, 700));
            if (slow) window.late += 1;
            return answer;
        };
    """)
    page.type("re")
    time.sleep(0.2)
    page.type("d")
    until(page.suggestions, RED)
    until(lambda: page.browser.execute_script("return window.late"), 1)
    time.sleep(0.1)
    assert page.suggestions() == RED


def test_a_session_asks_less_often_than_there_are_keys(page: Page) -> None:
    page.browser.execute_script("""
        const fetched = window.fetch;
        window.asked = [];
        window.fetch = (address, options) => {
            window.asked.push(new URL(address, location).searchParams.get("q"));
            return fetched(address, options);
        };
        const query = document.getElementById("query");
        for (const text of ["r", "re", "red", "red ", "red s"]) {
            query.value = text;
            query.dispatchEvent(new Event("input"));
        }
    """)
    until(lambda: page.suggestions()[:2], ["red shoes", "red shoes for men"])
    assert page.browser.execute_script("return window.asked") == ["red s"]


def test_terms_are_text_and_never_markup(page: Page) -> None:
    page.type("<img")
    until(page.suggestions, ["<img src=x onerror=alert(1)>"])
    page.type(Keys.ARROW_DOWN, Keys.ENTER)
    assert page.past() == ["<img src=x onerror=alert(1)>"]
    assert page.browser.find_elements(By.TAG_NAME, "img") == []


def test_what_the_server_refuses_is_said(browser: webdriver.Chrome, address: str) -> None:
    page = Page(browser, address)
    page.type("日" * 190)
    until(lambda: page.find("empty").text, "q: expected at most 512 bytes of UTF-8, got 570")
    page.type(Keys.ENTER)
    assert page.past() == []  # it would be refused with every later search
    assert all("414" in line["message"] for line in browser.get_log("browser"))


@pytest.mark.parametrize(
    ("width", "scheme"), [(1100, "light"), (1100, "dark"), (390, "light"), (320, "dark")]
)
def test_how_it_looks(page: Page, width: int, scheme: str, tmp_path: Path) -> None:
    with looking(page.browser, width, scheme):
        for text in ("red wine", "a long search that does not fit on one line of a phone", "running shoes"):
            page.search(text)
        page.search("w" * 120)
        page.type("reciept")
        page.type(Keys.CONTROL, "a")
        page.type(Keys.NULL, "red")
        until(lambda: len(page.suggestions()), 4)
        seen(page.browser, scheme, tmp_path / f"{scheme}-{width}.png")
