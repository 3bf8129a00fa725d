// What a page of the dashboard does beyond its HTML, which is complete without
// it: it draws the charts, switches the theme, sorts tables and follows runs.
// When something fails, the page stays as the server made it.

import "./app.css";
import type { Charts, Drawn } from "./charts";
import { follow } from "./live";
import { sortTables } from "./tables";
import { words } from "./words";

declare global {
  interface Window {
    /** padron lets tests and curious people read what the charts show. */
    padron: {
      /** ready is fulfilled when all charts are drawn. */
      ready: Promise<void>;
      charts: () => Record<string, Drawn>;
    };
  }
}

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
// Where the system sets the colors, as for high contrast, charts are drawn on
// its background.
const forced = matchMedia("(forced-colors: active)");

function isDark(): boolean {
  return root.dataset["theme"] && !forced.matches ? root.dataset["theme"] === "dark" : system.matches;
}

let charts: Charts | null = null;

function addThemeButton(): void {
  const place = document.querySelector("header.site nav.languages");
  if (!place) {
    return;
  }
  const w = words(root.lang);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";
  const name = (): void => {
    button.textContent = w(isDark() ? "light" : "dark");
  };
  const switched = (): void => {
    name();
    charts?.redraw();
  };
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    root.dataset["theme"] = theme;
    try {
      localStorage.setItem("padron-theme", theme);
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
    switched();
  });
  system.addEventListener("change", switched);
  forced.addEventListener("change", switched);
  name();
  place.after(button);
}

async function draw(): Promise<void> {
  if (document.querySelector("figure.chart")) {
    const { drawCharts } = await import("./charts");
    charts = drawCharts(isDark);
    await charts.outlined;
  }
}

window.padron = { ready: draw(), charts: () => charts?.drawn() ?? {} };
addThemeButton();
sortTables(document);
follow(() => {
  sortTables(document);
  charts?.add(document);
});
