"""What can be said to one contact: their last item, and what is bought together with it."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_sources import AS_OF, POLICY, PRODUCT, Feed

from reengage.ingest.quality import validate
from reengage.texts import personal
from reengage.texts.personal import About, about

LINES: dict[str, Any] = {
    "columns": {
        "source_event_id": "id",
        "source_contact_id": "who",
        "occurred_at": "at",
        "product_id": "product",
    }
}
LINES_HEAD = "id,who,at,product"
PRODUCT_HEAD = "id,name,url,image_url,price,currency,available"


class Shop:
    """Files of products, orders (a line a row) and visits, and who is who."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.feeds: dict[str, Feed] = {}
        self.lines = 0

    def products(self, *rows: Sequence[str], source: str = "shop") -> None:
        """Rows of id, name and, where it is said, availability."""
        feed = self._feed(f"{source}_products", **PRODUCT)
        feed.said["source"] = source
        filled = [
            (key, name, f"https://{source}.example/{key}", "", 5, "", *(more or [""]))
            for key, name, *more in rows
        ]
        feed.write("products.csv", filled, PRODUCT_HEAD)
        feed.take()

    def orders(self, *baskets: tuple[str, str, str], name: str = "shop", **yaml: Any) -> None:
        """Baskets of a contact, a time and the products' ids, added to what is there."""
        feed = self._feed(name, **LINES, **yaml)
        rows = []
        for who, at, held in baskets:
            for key in held.split():
                self.lines += 1
                rows.append((f"{name}{self.lines}", who, at, key))
        feed.write(f"{self.lines}.csv", rows, LINES_HEAD)
        feed.take()

    def _feed(self, name: str, **yaml: Any) -> Feed:
        if name not in self.feeds:
            self.feeds[name] = Feed(self.engine, self.folder, name, **yaml)
        return self.feeds[name]

    def about(self, as_of: date = AS_OF) -> dict[str, About]:
        """By the id of the first identity."""
        with self.engine.connect() as connection:
            ids = dict(
                connection.execute(
                    sa.text("SELECT first_source_contact_id, contact_id FROM core.contact")
                ).all()
            )
            said = about(connection, list(ids.values()), as_of)
        return {who: said[key] for who, key in ids.items() if key in said}


@pytest.fixture
def shop(warehouse: sa.Engine, tmp_path: Path) -> Shop:
    return Shop(warehouse, tmp_path)


def test_from_files_to_what_a_text_can_say(shop: Shop) -> None:
    shop.products(
        ("lamp", "Lamp"),
        ("rug", "Rug"),
        ("vase", "Vase"),
        ("bulb", "Bulb"),
        ("sofa", "Sofa"),
        ("shade", "Shade", "no"),
        ("secret", ""),
    )
    shop.orders(
        ("ann", "2024-03-01T10:00:00Z", "lamp rug shade secret unknown"),
        ("ben", "2024-03-02T10:00:00Z", "lamp bulb bulb bulb shade"),
        ("cat", "2024-03-03T10:00:00Z", "lamp bulb vase"),
        ("dan", "2024-03-04T10:00:00Z", "lamp vase"),
        ("eve", "2024-03-05T10:00:00Z", "lamp rug sofa"),
        # The same contact, but neither moment is the other's basket.
        ("fay", "2024-03-06T10:00:00Z", "sofa"),
        ("fay", "2024-03-06T10:00:01Z", "lamp"),
        ("gus", "2024-03-06T10:00:00Z", "unknown"),
    )
    said = shop.about()
    # Bulb, rug and vase are in two of the lamp's baskets each: then by product id.
    assert said["fay"] == About(
        "Lamp", "bought", "https://shop.example/lamp", ("Bulb", "Rug", "Vase")
    )
    assert {who: (one.item, one.together) for who, one in said.items()} == {
        "ann": ("Lamp", ("Bulb", "Vase", "Sofa")),
        "ben": ("Bulb", ("Vase",)),
        "cat": ("Bulb", ()),
        "dan": ("Lamp", ("Bulb", "Rug", "Sofa")),
        "eve": ("Lamp", ("Bulb", "Vase")),
        "fay": ("Lamp", ("Bulb", "Rug", "Vase")),
    }


def test_the_last_item_on_the_day_viewed_or_bought(shop: Shop) -> None:
    shop.products(("lamp", "Lamp", "no"), ("rug", "Rug"), ("vase", "Vase", "no"))
    shop.orders(("ann", "2024-03-01T10:00:00Z", "lamp rug"), ("ben", "2024-03-09", "rug lamp"))
    shop.orders(
        ("a1", "2024-03-02", "rug"),
        ("a1", "2024-03-03", "vase"),
        ("a1", "2024-03-04", ""),
        ("a2", "2024-03-02", "nothing"),
        name="web",
        kind="visit",
    )
    said = shop.about()
    # The vase cannot be had any more: what was only looked at is not spoken of.
    assert said["a1"] == About("Rug", "viewed", "https://shop.example/rug", ())
    assert said["ann"][:2] == ("Lamp", "bought")
    assert sorted(said) == ["a1", "ann", "ben"]
    assert shop.about(date(2024, 3, 1)).keys() == {"ann"}, "what comes later is not known yet"
    assert shop.about(date(2024, 2, 29)) == {}


def test_what_was_viewed_elsewhere_is_bought_in_the_shop(shop: Shop) -> None:
    shop.products(("1", "Lamp"), ("2", "Rug"), ("3", "Vase"))
    shop.orders(("ann", "2024-03-01", "1 2"), ("ben", "2024-03-02", "1 2"))
    shop.orders(("v", "2024-03-02", "1"), name="web", kind="visit")
    lamp = About("Lamp", "viewed", "https://shop.example/1", ("Rug",))
    assert shop.about()["v"] == lamp
    # Another list knows the id too: whose it is has to be said.
    shop.products(("1", "Tea"), ("3", "Milk"), source="tills")
    assert "v" not in shop.about()
    assert shop.about()["ann"].item == "Lamp", "the shop's own ids are its own"
    shop.feeds["web"].said["product_source"] = "shop"
    shop.feeds["web"].take()
    assert shop.about()["v"] == lamp
    shop.feeds["web"].said["product_source"] = "tills"
    shop.feeds["web"].take()
    assert shop.about()["v"] == About("Tea", "viewed", "https://tills.example/1", ())


def test_corrections_and_what_is_taken_back_are_followed(shop: Shop) -> None:
    shop.products(("lamp", "Lamp"), ("rug", "Rug"), ("vase", "Vase"))
    shop.orders(("ann", "2024-03-01", "lamp rug"), ("ben", "2024-03-02", "lamp"))
    assert shop.about()["ben"].together == ("Rug",)
    feed = shop.feeds["shop"]
    feed.write("later.csv", [("shop2", "ann", "2024-03-01", "vase")], LINES_HEAD)
    for _ in range(2):
        feed.take()
        assert shop.about()["ben"].together == ("Vase",)
    feed.said["exclude"] = {"product": ["vase"]}
    feed.take()
    assert shop.about()["ben"].together == ()
    shop.products(("lamp", ""), ("rug", "Rug"))
    assert shop.about() == {}


def test_one_name_is_said_once_and_none_that_is_theirs(shop: Shop) -> None:
    shop.products(("s1", "Shirt"), ("s2", "Shirt"), ("lamp", "Lamp"), ("l2", "Lamp"), ("z", "Zoo"))
    shop.orders(
        ("ann", "2024-03-01", "lamp s1"),
        ("ben", "2024-03-01", "lamp s2"),
        ("cat", "2024-03-01", "lamp z l2"),
        ("dan", "2024-03-02", "lamp"),
        ("eve", "2024-03-02", "s1"),
        ("eve", "2024-03-03", "lamp"),
    )
    said = shop.about()
    assert said["dan"].together == ("Shirt", "Zoo")
    assert said["eve"].together == ("Zoo",), "a shirt is theirs already"


def test_the_cost_of_an_answer_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.products(*((f"p{n}", f"P{n}") for n in range(9)))
    shop.orders(
        ("old", "2024-03-01", "p0 p1"),
        ("old2", "2024-03-01", "p0 p1"),
        ("new", "2024-03-05", "p0 p2"),
        ("big", "2024-03-06", "p0 p3 p4 p5 p6"),
        ("ann", "2024-03-07", "p0"),
    )
    assert shop.about()["ann"].together == ("P1", "P2", "P3")
    monkeypatch.setattr(personal, "MOST_BASKETS", 3)
    assert shop.about()["ann"].together == ("P2", "P3", "P4")
    monkeypatch.setattr(personal, "MOST_LINES", 4)
    assert shop.about()["ann"].together == ("P2",)
    monkeypatch.setattr(personal, "MOST_TOGETHER", 0)
    assert shop.about()["ann"].together == ()
    monkeypatch.setattr(personal, "MOST_ROWS", 1)
    shop.orders(("ann", "2024-03-08", "unknown"))
    assert "ann" not in shop.about()


def test_without_products_it_is_one_look(shop: Shop) -> None:
    shop.orders(("ann", "2024-03-01", "lamp"))
    asked = []

    def note(*call: Any) -> None:
        asked.append(call[2])

    sa.event.listen(shop.engine, "before_cursor_execute", note)
    with shop.engine.connect() as connection:
        assert about(connection, [1], AS_OF) == {}
        assert about(connection, [], AS_OF) == {}
    assert len(asked) == 1
    shop.products(("lamp", "Lamp"))
    asked.clear()
    with shop.engine.connect() as connection:
        said = about(connection, [1, 1], AS_OF, with_together=False)
    assert said == {1: About("Lamp", "bought", "https://shop.example/lamp", ())}
    assert len(asked) == 2


def test_a_list_without_names_warns(shop: Shop) -> None:
    feed = shop._feed("list", **PRODUCT)
    feed.write("p.csv", [(n, "", "", "", -1, "", "") for n in range(5)], PRODUCT_HEAD)
    found = validate(shop.engine, [feed.read()], POLICY, AS_OF + timedelta(days=1))
    assert [line.split(" (")[0] for line in found] == [
        "products: expected name column values to not be null",
        "products: expected price column values to be between",
    ]
