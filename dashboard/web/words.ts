// The texts that scripts add to a page. They are in the server's catalogues.

import { type Language, type TextKey, texts } from "./contract";

/** Words gives the text of a key with the values filled in. */
export type Words = (key: TextKey, ...values: (string | number)[]) => string;

/**
 * languageOf is the language of texts for a page's language; English where
 * there are none.
 */
export function languageOf(lang: string): Language {
  const [primary = ""] = lang.toLowerCase().split("-");
  return Object.hasOwn(texts, primary) ? (primary as Language) : "en";
}

/** words are the texts in a page's language. */
export function words(lang: string): Words {
  const own = texts[languageOf(lang)];
  return (key, ...values) => own[key].replace(/\{(\d)\}/g, (_place, i: string) => String(values[Number(i)]));
}
