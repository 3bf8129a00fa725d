// Follows what is under way: a section names the address of its progress, which is asked for again and again and
// written into the section. When its key changes, as when a run has ended or begun, the page's content is fetched
// once more, and replaced.

/** slowest is how long, in milliseconds, to wait between two tries while the server does not answer. */
const slowest = 30_000;

/** Progress is what the server tells of a run, as far as it is shown. */
interface Progress {
  key: string;
  percent: number;
  [field: string]: unknown;
}

/** follow keeps the page's live section up to date. renewed is called when the page's content was replaced. */
export function follow(renewed: () => void): void {
  const section = document.querySelector<HTMLElement>("section[data-live]");
  if (!section) {
    return;
  }
  const interval = Number(section.dataset["interval"]) || 2000;
  let wait = interval;
  const again = async (): Promise<void> => {
    // Nobody looks at a page in the background.
    if (!document.hidden) {
      try {
        const progress = await ask(section.dataset["live"] as string);
        show(section, progress);
        if (progress.key !== section.dataset["key"]) {
          await renew();
          renewed();
          follow(renewed);
          return;
        }
        wait = interval;
      } catch {
        wait = Math.min(wait * 2, slowest);
      }
    }
    setTimeout(again, wait);
  };
  setTimeout(again, wait);
}

async function ask(address: string): Promise<Progress> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address}: ${response.status}`);
  }
  return (await response.json()) as Progress;
}

function show(section: HTMLElement, progress: Progress): void {
  for (const element of section.querySelectorAll<HTMLElement>("[data-field]")) {
    const value = progress[element.dataset["field"] as string];
    if (element instanceof HTMLProgressElement) {
      element.value = progress.percent;
    } else if (value !== undefined && element.textContent !== String(value)) {
      element.textContent = String(value);
    }
  }
}

/** renew replaces the page's content by what the server shows now, and leaves the focus where it was. */
async function renew(): Promise<void> {
  const response = await fetch(location.href);
  if (!response.ok) {
    throw new Error(`${location.href}: ${response.status}`);
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [was, now] = [document.querySelector("main"), page.querySelector("main")];
  if (was && now) {
    const focused = was.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    was.replaceChildren(...[...now.childNodes].map((node) => document.importNode(node, true)));
    document.title = page.title;
    if (focused) {
      was.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  }
}
