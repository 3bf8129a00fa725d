/** Words are the texts that scripts add to a page. What the server renders is translated there. */
export interface Words {
  readonly dark: string;
  readonly light: string;
  readonly showSeries: string;
  readonly range: string;
  readonly all: string;
  readonly years: (n: number) => string;
  readonly zoomIn: string;
  readonly zoomOut: string;
  readonly reset: string;
  readonly map: string;
  readonly scale: string;
  readonly unknown: string;
  readonly keys: string;
  readonly keysCells: string;
  readonly keysLink: string;
  readonly failed: string;
  readonly low95: string;
  readonly sort: (column: string) => string;
  readonly of: (name: string, latest: string, latestAt: string, low: string, lowAt: string, high: string, highAt: string) => string;
  readonly span: (from: string, to: string) => string;
  readonly top: (name: string, list: string) => string;
  readonly cells: (n: string, low: string, high: string) => string;
  readonly box: (name: string, median: string, q1: string, q3: string) => string;
  readonly quartiles: readonly [string, string, string, string, string];
}

const en: Words = {
  dark: "Dark",
  light: "Light",
  showSeries: "Shown in the chart",
  range: "Period",
  all: "All",
  years: (n) => `${n} years`,
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  reset: "Whole map",
  map: "Map",
  scale: "Color scale",
  unknown: "unknown",
  keys: "Arrow keys read the values.",
  keysCells: "Arrow keys go from cell to cell and read the values, Home goes to the largest, Escape leaves.",
  keysLink: "Enter opens the page.",
  failed: "This chart could not be drawn. Its numbers are below.",
  low95: "95 % band",
  sort: (column) => `Sort by ${column}`,
  of: (name, latest, latestAt, low, lowAt, high, highAt) =>
    `${name}: ${latest} in ${latestAt}, lowest ${low} in ${lowAt}, highest ${high} in ${highAt}.`,
  span: (from, to) => `From ${from} to ${to}.`,
  top: (name, list) => `${name}: ${list}.`,
  cells: (n, low, high) => `${n} cells, from ${low} to ${high}.`,
  box: (name, median, q1, q3) => `${name}: median ${median}, middle half from ${q1} to ${q3}.`,
  quartiles: ["minimum", "first quartile", "median", "third quartile", "maximum"],
};

const es: Words = {
  dark: "Oscuro",
  light: "Claro",
  showSeries: "Se muestra en el gráfico",
  range: "Periodo",
  all: "Todo",
  years: (n) => `${n} años`,
  zoomIn: "Acercar",
  zoomOut: "Alejar",
  reset: "Mapa completo",
  map: "Mapa",
  scale: "Escala de color",
  unknown: "desconocido",
  keys: "Las flechas leen los valores.",
  keysCells: "Las flechas van de celda en celda y leen los valores, Inicio va a la mayor, Escape sale.",
  keysLink: "Intro abre la página.",
  failed: "No se pudo dibujar este gráfico. Sus números están abajo.",
  low95: "banda del 95 %",
  sort: (column) => `Ordenar por ${column}`,
  of: (name, latest, latestAt, low, lowAt, high, highAt) =>
    `${name}: ${latest} en ${latestAt}, mínimo ${low} en ${lowAt}, máximo ${high} en ${highAt}.`,
  span: (from, to) => `De ${from} a ${to}.`,
  top: (name, list) => `${name}: ${list}.`,
  cells: (n, low, high) => `${n} celdas, de ${low} a ${high}.`,
  box: (name, median, q1, q3) => `${name}: mediana ${median}, mitad central de ${q1} a ${q3}.`,
  quartiles: ["mínimo", "primer cuartil", "mediana", "tercer cuartil", "máximo"],
};

/** words are the texts in a page's language; English where there is none. */
export function words(lang: string): Words {
  return lang.toLowerCase().startsWith("es") ? es : en;
}
