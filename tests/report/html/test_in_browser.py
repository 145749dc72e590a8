"""The page as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.report.html.conftest import Open

LEFT = 190  # px: width of the lanes' names


def test_it_opens_from_disk_with_the_verdict_first(open_page: Open) -> None:
    page = open_page(drawn=True)
    assert page.title() == "capture.pcap – sipaudit"
    assert "1 phone (1003) returned before the failback was due." in page.inner_text("#verdict")
    assert page.inner_text(".tiles .error") == "2 errors"
    assert page.locator("#p-servers svg .scatterlayer .trace").count() == 3  # two servers, and looking for another
    assert page.inner_text("#fitting") == "4 lines, 2 findings"


def test_a_finding_that_is_clicked_shows_all_that_proves_it(open_page: Open) -> None:
    page = open_page()
    page.click("#finding-list >> text=f-000001")
    page.wait_for_selector("#sheet-title >> text=f-000001")  # its contents are unpacked only now
    sheet = page.inner_text("#sheet")
    assert page.url.endswith("#f-000001")
    for part in ("signalling-to-unregistered-server", "After 10.0.0.1:5060/udp failed, nothing but REGISTER",
                 "samples/first-outage/site.yaml:11 lines[0].settings", "frame.number in {216, 220}",
                 "sipaudit inspect samples/first-outage/capture.pcap 216 220", "#220",
                 "server silent for", "failback mode"):
        assert part in sheet
    assert page.locator("#sheet .ladder .arrow").count() == 2
    assert page.locator("#sheet a[href='evidence/f-000001.pcapng']").count() == 1
    assert "User-Agent: PolycomVVX" in page.inner_text("#sheet details[open] pre")
    page.click("#sheet >> text=Frame 220, with remarks")
    page.click("#sheet .layer >> text=sip")
    assert "Request-Line: INVITE" in page.inner_text("#sheet .layer[open] pre")

    page.click("#sheet .paste button >> nth=0")
    page.wait_for_selector("#sheet .paste >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "frame.number in {216, 220}"

    page.click("#sheet >> text=Next →")
    page.wait_for_selector("#sheet-title >> text=f-000002")
    page.keyboard.press("Escape")
    page.wait_for_selector("#sheet", state="hidden")
    # A JavaScript condition that does not hold at once is evaluated again by the page, whose policy forbids `eval`.
    page.wait_for_url(re.compile("#findings$"))


def test_a_link_to_a_finding_opens_it(open_page: Open) -> None:
    page = open_page(link="#f-000002")
    assert "premature-failback" in page.inner_text("#sheet-title")
    page.evaluate("location.hash = '#f-000001'")
    page.wait_for_selector("#sheet-title >> text=f-000001")
    assert not open_page(link="#f-999999").is_visible("#sheet")


def test_proof_may_lie_in_a_provisioning_file_or_in_several_captures(open_page: Open) -> None:
    page = open_page("fleet", "#f-000001")
    page.wait_for_selector("#sheet >> text=Where it stands")
    sheet = page.inner_text("#sheet")
    assert "site.cfg:10" in sheet
    assert "and 3 more lines" in sheet
    assert "Wireshark" not in sheet
    page.evaluate("location.hash = '#f-000002'")
    page.wait_for_selector("#sheet >> text=In Wireshark")
    pastes = page.locator("#sheet .paste code").all_inner_texts()
    assert pastes[:2] == ["frame.number in {5, 6}", "frame.number in {9}"]
    assert pastes[3:] == ["sipaudit inspect first.pcap 5 6", "sipaudit inspect 'second one.pcap' 9"]


def test_incidents_beyond_the_gravest_are_folded_and_a_link_unfolds_them(open_page: Open) -> None:
    page = open_page("storms")
    assert page.inner_text("#incidents h3 >> nth=0").startswith("i-0001 A server stopped answering its phones")
    assert page.locator("#incidents .incident:visible").count() == 4
    page.wait_for_selector("#incidents summary:has-text('27 more incidents: 27 register-storm.')")
    page.evaluate("location.hash = '#i-0020'")
    page.wait_for_selector("#i-0020 >> text=Show its lines")
    assert page.locator("#incidents .incident:visible").count() == 31


def test_lanes_zoom_and_pan(open_page: Open) -> None:
    page = open_page()
    whole = page.inner_text("#shown-span")
    page.click("#zoom-in")
    zoomed = page.inner_text("#shown-span")
    page.click("#pan-right")
    later = page.inner_text("#shown-span")
    assert len({whole, zoomed, later}) == 3
    page.locator("#lane-box").hover()
    page.keyboard.down("Control")
    changed(page, lambda: page.mouse.wheel(0, -300), "#shown-span")  # a wheel event is not awaited
    page.keyboard.up("Control")
    page.click("#zoom-all")
    assert page.inner_text("#shown-span") == whole

    box = page.locator("#lane-canvas").bounding_box()
    page.click("#zoom-in")
    before = page.inner_text("#shown-span")
    page.mouse.move(box["x"] + 600, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 60, steps=4)
    page.mouse.up()
    assert page.inner_text("#shown-span") != before
    assert not page.is_visible("#sheet")  # a drag is no click


def test_what_lies_under_the_pointer_is_told_and_a_mark_opens_its_finding(open_page: Open) -> None:
    page = open_page()
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lane-canvas").bounding_box()
    said = ""
    for across in range(LEFT, int(box["width"]), 4):
        page.mouse.move(box["x"] + across, box["y"] + 33)
        said = page.inner_text("#tip")
        if "f-000001" in said:
            break
    assert "12:05:35.500 f-000001 error: signalling-to-unregistered-server" in said
    page.mouse.move(box["x"] + LEFT + 40, box["y"] + 42)
    assert "works with sbc1" in page.inner_text("#tip")
    assert "registered at sbc1 until 12:" in page.inner_text("#tip")
    page.mouse.move(box["x"] + across, box["y"] + 33)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_selector("#sheet-title >> text=f-000001")


def test_a_label_stands_for_a_line_only_where_no_other_has_it(open_page: Open) -> None:
    """1002 and 1003 are at fault, and 1001 has the same label as 1002."""
    page = open_page("labels")
    rows = page.inner_text("#finding-list tbody")
    assert "1002 Reception" in rows
    assert "Lift" in rows
    assert "1003" not in rows


def test_filters_narrow_lanes_and_findings_together(open_page: Open) -> None:
    page = open_page("fleet")
    everything = "1,000 lines, 3,000 findings"
    assert page.inner_text("#fitting") == everything
    site = changed(page, lambda: page.select_option("select[name=group]", label="Site A"))
    assert site.startswith("200 lines, ")
    worst = changed(page, lambda: page.select_option("select[name=rule]", label="premature-failback"))
    assert {row.split("\t")[3] for row in page.inner_text("#finding-list tbody").split("\n") if row.count("\t") > 3} \
        == {"premature-failback"}
    assert int(worst.split(" lines")[0].replace(",", "")) < 200
    assert changed(page, lambda: page.click("text=Clear")) == everything
    assert changed(page, lambda: page.fill("input[name=text]", "10.1.0.7")).startswith("11 lines")
    assert changed(page, lambda: page.fill("input[name=text]", "f-000007")) == "1 line, 1 finding"
    assert changed(page, lambda: page.click("text=Clear")) == everything
    changed(page, lambda: page.click("text=Show its lines"))
    assert page.inner_text("#shown-span").startswith("13:2")  # Berlin time: the outage began at 13:30


def changed(page: Any, act: Callable[[], object], place: str = "#fitting") -> str:
    """The text of `place`, by default the count of matching lines and findings, once `act` has changed it."""
    before = page.inner_text(place)
    act()
    page.wait_for_selector(f"{place}:not(:text-is('{before}'))")
    return str(page.inner_text(place))


def test_a_thousand_lines_are_no_thousand_elements(open_page: Open) -> None:
    page = open_page("fleet")
    assert page.evaluate("document.querySelectorAll('#lanes *').length") < 150
    assert page.evaluate("document.querySelectorAll('#findings tr').length") < 60
    page.locator("#lane-box").focus()
    page.keyboard.press("End")
    assert page.evaluate("document.getElementById('lane-box').scrollTop") > 28_000
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet >> text=Registrations")


def test_where_every_line_was(open_page: Open) -> None:
    page = open_page()
    page.locator("#whereabouts").scroll_into_view_if_needed()
    page.wait_for_selector("#at-lines table")
    assert page.input_value("#at-text") == "12:05:41.759"  # in the middle of the outage
    page.fill("#at-text", "12:06:00")
    page.press("#at-text", "Enter")
    page.wait_for_selector("#at-servers tr:has-text('sbc2') >> text=3")
    page.wait_for_selector("#at-lines >> text=1003")
    rows = [row.split("\t") for row in page.inner_text("#at-servers tbody").split("\n")]
    assert [[cell.strip() for cell in row[:2]] for row in rows] == [["sbc1", "1"], ["sbc2", "3"]]
    page.click("#at-lines >> text=1003")
    page.wait_for_selector("#sheet >> text=failBack.timeout")


@pytest.mark.parametrize("width", [1000, 1280])
def test_where_it_was_a_line_s_number_is_not_broken(open_page: Open, width: int) -> None:
    """However long the text beside it is."""
    page = open_page(width=width)
    page.locator("#whereabouts").scroll_into_view_if_needed()
    page.wait_for_selector("#at-lines table")
    page.evaluate("[...document.querySelectorAll('#at-lines tbody td:last-child')].forEach("
                  "cell => { cell.textContent = 'call from the hall '.repeat(9); })")
    heights = page.evaluate("[...document.querySelectorAll('#at-lines .link')].map(each => each.offsetHeight)")
    assert len(heights) == 4
    assert max(heights) < 30   # px: one line


def test_on_a_phone_a_server_s_name_is_not_broken_every_few_letters(open_page: Open) -> None:
    page = open_page(width=390)
    heights = page.evaluate(
        "[...document.querySelectorAll('#captures td:nth-child(2)')].map(each => each.offsetHeight)")
    assert len(heights) == 2
    assert max(heights) < 60   # px: two lines


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["laptop in light", "phone in the dark"])
def test_it_is_readable_for_everyone(open_page: Open, width: int, dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(width=width, dark=dark, drawn=True)
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing extends beyond the edge
    page.locator("#whereabouts").scroll_into_view_if_needed()
    page.wait_for_selector("#at-lines table")
    assert faults(axe, page) == []
    page.click("#finding-list >> text=f-000001")
    page.wait_for_selector("#sheet >> text=In Wireshark")
    assert faults(axe, page) == []
    assert page.evaluate("document.getElementById('sheet').scrollWidth") <= width


def faults(axe: Any, page: Any) -> list[str]:
    found = axe.run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def test_tables_do_not_touch(open_page: Open) -> None:
    page = open_page(width=1400, drawn=True)
    page.locator("#whereabouts").scroll_into_view_if_needed()
    page.wait_for_selector("#whereabouts td")
    edges = page.evaluate("[...document.querySelectorAll('#findings table, #whereabouts table')].filter("
                          "table => table.getClientRects().length).map(table => [table.getBoundingClientRect().top, "
                          "table.getBoundingClientRect().bottom])")
    assert len(edges) == 4
    assert all(below[0] - above[1] >= 10 for above, below in pairwise(edges))


def test_the_button_changes_light_and_dark(open_page: Open) -> None:
    page = open_page()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    assert page.inner_text("#theme") == "Dark"
    page.click("#theme")
    assert page.inner_text("#theme") == "Light"   # the theme after the next press
    assert page.evaluate(ground) != light


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    page = open_page()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name || "
                                     "document.activeElement.textContent.slice(0, 20)"))
        if reached[-1] == "at-text":
            break
    wanted = ["theme", "text", "group", "severity", "zoom-in", "lane-box", "f-000001", "at", "at-text"]
    assert [each for each in wanted if each in reached] == wanted

    page.locator("#lane-box").focus()
    whole = page.inner_text("#shown-span")
    page.keyboard.press("+")
    assert page.inner_text("#shown-span") != whole
    page.keyboard.press("0")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#lane-said").startswith("1003, 1 finding")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet >> text=1003")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lane-box:focus")


def test_it_prints(open_page: Open) -> None:
    page = open_page(dark=True, drawn=True)
    printed = page.pdf(format="A4", print_background=True)
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"  # unchanged
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 900})  # the width of A4 between its margins
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") == 688
    assert not page.is_visible("#filters")
    assert not page.is_visible("nav")
    for part in ("#verdict", "#p-servers", "#lane-canvas", "#finding-list tbody", "#undecided", "#captures"):
        assert page.is_visible(part)


def test_without_a_script_the_words_are_there(open_page: Open) -> None:
    page = open_page("fleet", script=False)
    assert "A server stopped answering its phones" in page.inner_text("#incidents")
    assert "premature-failback" in page.inner_text("#findings")
    assert "Without JavaScript" in page.inner_text("#verdict")
    assert not page.is_visible("#lanes")


def test_a_broken_clock_breaks_nothing(open_page: Open) -> None:
    page = open_page("broken clock", drawn=True)
    assert "to @9" in page.inner_text("#shown-span")  # in seconds, where no calendar can express the time
    page.click("#zoom-in")
    page.click("#finding-list >> text=f-000001")
    page.wait_for_selector("#sheet >> text=In Wireshark")


def test_hostile_names_stay_text(open_page: Open) -> None:
    page = open_page("hostile", drawn=True)
    scripts = page.locator("script:not([type])").count()
    assert scripts == 2  # ours, and plotly
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lane-canvas").bounding_box()
    for across in range(LEFT, int(box["width"]), 50):
        for lane in range(4):
            page.mouse.move(box["x"] + across, box["y"] + 35 + 30 * lane)
    page.locator("#whereabouts").scroll_into_view_if_needed()
    page.wait_for_selector("#at-lines table")
    page.select_option("#rates-server", index=1)
    page.click("#finding-list tbody button >> nth=0")
    page.wait_for_selector("#sheet >> text=In Wireshark")
    page.locator("#sheet details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    shown = page.inner_text("#sheet")
    assert "<script>window.owned=1</script><img src=x onerror=window.owned=1>" in shown
    assert "\\x1b[31mred" in shown
    assert "abc\\u202egpj.exe\\u2066\\u200f" in shown
    assert "(16,000 characters)" not in shown
    everything = page.inner_text("body")
    assert not re.search("[\x1b\u202e\u2066\u200f]", everything)
    assert page.evaluate("window.owned") is None
    assert page.locator("img, .plot a, .plot b").count() == 0
    assert page.locator("script:not([type])").count() == scripts
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
