"""The tests of a worker share one profile, which keeps nothing of them but the cache."""

from __future__ import annotations

from local.stack import LocalStack
from tests.browser.profile import Profile

STORE = """() => new Promise((resolve, reject) => {
  document.cookie = "name=value; max-age=600";
  localStorage.setItem("name", "value");
  const opening = indexedDB.open("name");
  opening.onsuccess = () => resolve(opening.result.close());
  opening.onerror = () => reject(opening.error);
})"""
STORED = """async () => [document.cookie, localStorage.length, (await indexedDB.databases()).length]"""


def test_nothing_that_a_test_has_stored_is_there_for_the_next(profile: Profile, stack: LocalStack) -> None:
    page = profile.new_page(stack)
    page.evaluate(STORE)
    assert page.evaluate(STORED) == ["name=value", 1, 1]
    profile.clear()
    assert profile.new_page(stack).evaluate(STORED) == ["", 0, 0]
    profile.clear()
