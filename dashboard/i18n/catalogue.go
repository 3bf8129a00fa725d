package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"padron/internal/cleaning"
)

//go:embed *.json
var files embed.FS

// Files are the catalogues as they are embedded: <language>.json.
func Files() fs.FS { return files }

// Languages are those that the pages are in, the default first. Each has a
// catalogue, <language>.json.
func Languages() []string { return []string{"en", "es"} }

// Catalogue holds the texts of one language by key. In a text, {0}, {1}, …
// stand for values.
type Catalogue struct {
	Lang    string
	texts   map[string]string
	printer *message.Printer
}

// Load reads the catalogue of a language. The catalogues are part of the
// program, so an error is a fault of it.
func Load(lang string) (*Catalogue, error) {
	raw, err := files.ReadFile(lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", lang, err)
	}
	c := &Catalogue{Lang: lang, printer: message.NewPrinter(language.MustParse(lang))}
	if err := json.Unmarshal(raw, &c.texts); err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", lang, err)
	}
	return c, nil
}

// T is the text of a key with the values filled in. A key that the catalogue
// lacks is shown as it is; a test rules that out for the keys in the code.
func (c *Catalogue) T(key string, values ...any) string {
	text, ok := c.texts[key]
	if !ok {
		return key
	}
	for i, v := range values {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", c.Show(v))
	}
	return text
}

// Or is the text of a key, or other where there is none: names that come from
// the data are translated as far as they are known.
func (c *Catalogue) Or(key, other string) string {
	if text, ok := c.texts[key]; ok {
		return text
	}
	return other
}

// Field is the name of a document's field by its path.
func (c *Catalogue) Field(path string) string { return c.Or("field."+path, path) }

// Sector is the name of a sector by its code. A code that is not a known sector
// is its own name.
func (c *Catalogue) Sector(code string) string {
	for _, s := range cleaning.Sectors() {
		if s.Code == code {
			return c.Or("sector."+code, s.Title)
		}
	}
	return code
}

// Show is a value as the language writes it: digits in groups of three, and one
// decimal for a float64.
func (c *Catalogue) Show(v any) string {
	switch v := v.(type) {
	case int:
		return c.printer.Sprintf("%d", v)
	case int32:
		return c.printer.Sprintf("%d", v)
	case int64:
		return c.printer.Sprintf("%d", v)
	case float64:
		return c.printer.Sprintf("%.1f", v)
	default:
		return fmt.Sprint(v)
	}
}

// Decimals is a number with a fixed count of decimals.
func (c *Catalogue) Decimals(v float64, decimals int) string {
	return c.printer.Sprintf("%.*f", decimals, v)
}

// Value is a document's value as text; "" for none.
func (c *Catalogue) Value(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.RawMessage:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return c.T("yes")
		}
		return c.T("no")
	default:
		return fmt.Sprint(v)
	}
}

// Date is a day as the language writes it.
func (c *Catalogue) Date(t time.Time) string {
	month := strings.Fields(c.T("date.months"))[t.Month()-1]
	return strings.NewReplacer("{0}", strconv.Itoa(t.Day()), "{1}", month, "{2}", strconv.Itoa(t.Year())).Replace(c.T("date.day"))
}

// Percent is the share of part in whole, with one decimal. A part is never
// rounded to nothing or to the whole.
func (c *Catalogue) Percent(part, whole int64) string {
	if whole == 0 {
		return c.T("unknown")
	}
	share := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && share < 0.1:
		return c.printer.Sprintf("< %.1f %%", 0.1)
	case part < whole && share > 99.9:
		return c.printer.Sprintf("> %.1f %%", 99.9)
	default:
		return c.printer.Sprintf("%.1f %%", share)
	}
}

// Preferred is the language of Languages that suits an Accept-Language header
// best.
func Preferred(acceptLanguage string) string {
	tags := make([]language.Tag, len(Languages()))
	for i, lang := range Languages() {
		tags[i] = language.MustParse(lang)
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return Languages()[0]
	}
	_, i, _ := language.NewMatcher(tags).Match(wanted...)
	return Languages()[i]
}
