// Runs before the first paint, so that a page never flashes in the wrong theme.
// It is loaded as a plain script, since a module would wait for the page. So it
// imports and exports nothing.
{
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("padron-theme");
    if (chosen === "light" || chosen === "dark") {
      root.dataset.theme = chosen;
    }
  } catch {
    // Where storage is blocked, as in some frames, the page follows the system.
  }
}
