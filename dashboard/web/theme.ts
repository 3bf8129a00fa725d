// Runs before the first paint, so that a page never flashes in the wrong theme. It imports nothing and exports
// nothing: it is loaded as a plain script, since a module would wait for the page.
{
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("padron-theme");
    if (chosen === "light" || chosen === "dark") {
      root.dataset.theme = chosen;
    }
  } catch {
    // A page whose storage is blocked, in an iframe say, follows the system.
  }
}
