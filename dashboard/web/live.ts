// Follows a run: a section of the page names the address of its progress, which
// is loaded again and again and written into the section. When the key of the
// progress changes, as when a run has begun or ended, the page's content is
// loaded again and replaced.

import type { Progress } from "./contract";

/** slowest is the longest wait between two tries, in milliseconds. */
const slowest = 30_000;

/**
 * follow keeps the page's live section up to date. It calls renewed when it has
 * replaced the page's content.
 */
export function follow(renewed: () => void): void {
  const section = document.querySelector<HTMLElement>("section[data-live]");
  if (!section) {
    return;
  }
  const interval = Number(section.dataset["interval"]) || 2000;
  let wait = interval;
  const again = async (): Promise<void> => {
    // Nobody sees a page in the background.
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
    const value = progress[element.dataset["field"] as keyof Progress];
    if (element instanceof HTMLProgressElement) {
      element.value = progress.percent;
    } else if (value !== undefined && element.textContent !== String(value)) {
      element.textContent = String(value);
    }
  }
}

/**
 * renew replaces the page's content with what the server shows now. The focus
 * stays on the same link.
 */
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
