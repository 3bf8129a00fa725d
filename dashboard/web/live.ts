// Follows what is still going on: parts of a page marked data-live="SECONDS" are fetched anew and replaced until the
// server stops marking them.

/** slowest is how long, in seconds, to wait between two tries while the server does not answer. */
const slowest = 60;

/** follow keeps the page's live parts up to date, and calls changed for each that was replaced. */
export function follow(changed: (part: Element) => void): void {
  const first = document.querySelector<HTMLElement>("[data-live][id]");
  if (!first) {
    return;
  }
  const seconds = (): number => Math.max(1, Number(document.querySelector<HTMLElement>("[data-live][id]")?.dataset["live"]) || 2);
  let wait = seconds();
  const again = async (): Promise<void> => {
    // Nobody looks at a page in the background.
    if (!document.hidden) {
      try {
        const response = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (response.ok) {
          replace(new DOMParser().parseFromString(await response.text(), "text/html"), changed);
          wait = seconds();
        } else {
          wait = Math.min(wait * 2, slowest);
        }
      } catch {
        wait = Math.min(wait * 2, slowest);
      }
    }
    if (document.querySelector("[data-live][id]")) {
      setTimeout(again, wait * 1000);
    }
  };
  setTimeout(again, wait * 1000);
}

function replace(page: Document, changed: (part: Element) => void): void {
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const now = page.getElementById(old.id);
    if (!now) {
      old.removeAttribute("data-live");
    } else if (now.outerHTML !== old.outerHTML) {
      const part = document.importNode(now, true);
      old.replaceWith(part);
      changed(part);
    }
  }
}
