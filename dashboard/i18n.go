package dashboard

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed i18n
var catalogueFiles embed.FS

// Languages are those that the pages are in, the default first. Each has a
// catalogue, i18n/<language>.json.
func Languages() []string { return []string{"en", "es"} }

// catalogue holds the texts of one language by key. {0}, {1}, … stand for
// values.
type catalogue struct {
	lang    string
	texts   map[string]string
	printer *message.Printer
}

func loadCatalogue(lang string) (*catalogue, error) {
	raw, err := catalogueFiles.ReadFile("i18n/" + lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", lang, err)
	}
	c := &catalogue{lang: lang, printer: message.NewPrinter(language.MustParse(lang))}
	if err := json.Unmarshal(raw, &c.texts); err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", lang, err)
	}
	return c, nil
}

// t is the text of a key with the values in. A key that the catalogue lacks,
// which a test rules out for those in the code, is shown as it is.
func (c *catalogue) t(key string, values ...any) string {
	text, ok := c.texts[key]
	if !ok {
		return key
	}
	for i, v := range values {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", c.show(v))
	}
	return text
}

// or is the text of a key, or the other text where there is none: names that
// come from the data are translated as far as they are known.
func (c *catalogue) or(key, other string) string {
	if text, ok := c.texts[key]; ok {
		return text
	}
	return other
}

// show is a value as the language writes it: numbers in groups of three digits.
func (c *catalogue) show(v any) string {
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

// date is a day as the language writes it.
func (c *catalogue) date(t time.Time) string {
	month := strings.Fields(c.t("date.months"))[t.Month()-1]
	return strings.NewReplacer("{0}", strconv.Itoa(t.Day()), "{1}", month, "{2}", strconv.Itoa(t.Year())).Replace(c.t("date.day"))
}

// percent is a share as the language writes it; with one decimal, save where
// that would make of a part the whole, or nothing.
func (c *catalogue) percent(part, whole int64) string {
	if whole == 0 {
		return c.t("unknown")
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

// preferred is the language that a reader's browser asks for.
func preferred(r *http.Request) string {
	tags := make([]language.Tag, len(Languages()))
	for i, lang := range Languages() {
		tags[i] = language.MustParse(lang)
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return Languages()[0]
	}
	_, i, _ := language.NewMatcher(tags).Match(wanted...)
	return Languages()[i]
}
