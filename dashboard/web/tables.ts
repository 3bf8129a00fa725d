// Makes tables sortable by a press on a column's heading. Only tables that hold
// all their rows: a sorted page of many would be mistaken for a ranking.

import { compareKeys, sortKey } from "./sort";
import { words } from "./words";

/** fewest is how few rows are worth sorting. */
const fewest = 3;

/** sortTables adds buttons to the headings of the tables within root. */
export function sortTables(root: ParentNode): void {
  for (const table of root.querySelectorAll("table")) {
    const [body] = table.tBodies;
    const row = table.tHead?.rows[0];
    if (!body || !row || body.rows.length < fewest || isPaged(table) || table.tHead?.rows.length !== 1) {
      continue;
    }
    [...row.cells].forEach((heading, column) => {
      // A heading that is a link is sorted by the server.
      if (heading.colSpan === 1 && heading.textContent?.trim() && !heading.querySelector("a")) {
        addButton(table, body, heading, column);
      }
    });
  }
}

/** isPaged says whether a table continues on another page. */
function isPaged(table: HTMLTableElement): boolean {
  return table.closest("section")?.querySelector(":scope > nav.pager") != null;
}

function addButton(table: HTMLTableElement, body: HTMLTableSectionElement, heading: HTMLTableCellElement, column: number): void {
  const { lang } = document.documentElement;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.title = words(lang)("sort", heading.textContent?.trim() ?? "");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const key = (row: HTMLTableRowElement): number | string | null => {
      const cell = row.cells[column];
      const value = cell?.dataset["value"] ?? cell?.querySelector("time")?.dateTime;
      if (value === undefined || value === "") {
        return sortKey(lang, cell?.textContent ?? "");
      }
      return Number.isFinite(Number(value)) ? Number(value) : value;
    };
    const rows = [...body.rows].map((row) => ({ row, key: key(row) }));
    // Numbers are mostly wanted from the largest on, texts from A on. A second
    // press turns the order around.
    const was = heading.getAttribute("aria-sort");
    const down = was === null ? rows.some(({ key }) => typeof key === "number") : was === "ascending";
    for (const other of table.tHead?.rows[0]?.cells ?? []) {
      other.removeAttribute("aria-sort");
    }
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => compareKeys(lang, a.key, b.key, down));
    body.append(...rows.map(({ row }) => row));
  });
}
