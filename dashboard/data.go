package dashboard

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// content is an answer.
type content struct {
	kind string // MIME type
	name string // of the file that it is saved as; empty: it is not
	next string // address of what follows; empty: nothing
	body []byte
	// lasting says that the address names this very content, and nothing else ever.
	lasting bool
}

const (
	kindHTML = "text/html; charset=utf-8"
	kindText = "text/plain; charset=utf-8"
	kindCSV  = "text/csv; charset=utf-8"
	kindJSON = "application/json; charset=utf-8"
	kindRSS  = "application/rss+xml; charset=utf-8"
)

// data answers requests for data. The parameter lang says in which language
// texts are, where there are any.
func (s *Server) data(answer func(*request) (*content, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		lang := hr.URL.Query().Get("lang")
		if lang == "" {
			lang = Languages()[0]
		}
		if !slices.Contains(Languages(), lang) {
			s.fail(w, hr, bad("lang", lang, "choice", strings.Join(Languages(), ", ")))
			return
		}
		s.answer(w, hr, lang, answer)
	})
}

// figures answers /data/<page>/<chart>.csv and .json: the numbers of one chart.
func (s *Server) figures(r *request) (*content, error) {
	page, file := path.Split(r.PathValue("path"))
	extension := path.Ext(file)
	id := strings.TrimSuffix(file, extension)
	page = strings.TrimSuffix(page, "/")
	if extension != ".csv" && extension != ".json" {
		return nil, missing("data", shorten(r.URL.Path))
	}
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.figuresOf(page)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(figures, func(f *Figure) bool { return f.ID == id })
	if i < 0 || figures[i].Table == nil {
		return nil, missing("data", shorten(r.URL.Path))
	}
	f := figures[i]
	if extension == ".json" {
		return f.asJSON(r)
	}
	body, err := f.Table.csv()
	return &content{kind: kindCSV, name: fileName(r.server.Spec.Name, id, f.Source.Snapshot) + ".csv", body: body}, err
}

// figuresOf makes all charts of a page.
func (r *request) figuresOf(page string) ([]*Figure, error) {
	section, rest, _ := strings.Cut(page, "/")
	switch {
	case page == "overview":
		return r.overviewFigures()
	case page == "neighborhoods":
		return r.neighborhoodsFigures()
	case section == "neighborhoods":
		return r.neighborhoodFigures(rest)
	case page == "sectors":
		return r.sectorsFigures()
	case section == "sectors":
		return r.sectorFigures(rest)
	case page == "survival":
		return r.survivalFigures()
	case page == "profile":
		return r.profileFigures()
	default:
		return nil, missing("data", shorten(r.URL.Path))
	}
}

// fileName keeps names to what every file system takes.
func fileName(parts ...string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, strings.Join(parts, "-"))
}

// csv writes the table with the columns' keys as its first line. What is unknown
// is empty. Text that a spreadsheet would take for a formula begins with an
// apostrophe.
func (t *Table) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = c.Key
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	for _, row := range t.Rows {
		for i, cell := range row {
			line[i] = plain(cell.Value)
			if id, ok := cell.Value.(string); ok && t.Columns[i].Key == "cell" {
				line[i] = id // Padron's own text, which may begin with a minus
			}
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// plain is a value as CSV has it.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return harmless(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.RawMessage:
		return harmless(string(v))
	default:
		return fmt.Sprint(v)
	}
}

// harmless keeps a spreadsheet from running text as a formula:
// https://owasp.org/www-community/attacks/CSV_Injection
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// asJSON is the chart's numbers with all that a reader must know of them.
func (f *Figure) asJSON(r *request) (*content, error) {
	type column struct {
		Name  string `json:"name"`
		Title string `json:"title"`
	}
	out := struct {
		Title       string           `json:"title"`
		Dataset     string           `json:"dataset"`
		AsOf        string           `json:"as_of"`
		Basis       string           `json:"basis"`
		Snapshot    string           `json:"snapshot"`
		Run         string           `json:"run"`
		Outcome     string           `json:"outcome"`
		Notes       []string         `json:"notes"`
		Breaks      []map[string]any `json:"breaks"`
		License     string           `json:"license"`
		Attribution string           `json:"attribution"`
		Columns     []column         `json:"columns"`
		Rows        []map[string]any `json:"rows"`
	}{
		Title: f.Title, Dataset: r.server.Spec.Title, AsOf: f.Source.AsOf.UTC().Format(time.DateOnly), Basis: string(f.Source.Basis),
		Snapshot: f.Source.Snapshot, Run: f.Source.Run, Outcome: string(f.Source.Outcome), Notes: f.Notes,
		License: r.server.Spec.License, Attribution: r.server.Spec.Attribution, Breaks: []map[string]any{}, Rows: []map[string]any{},
	}
	for _, b := range r.server.Spec.Breaks {
		out.Breaks = append(out.Breaks, map[string]any{"date": b.Date, "name": b.Name, "kind": b.Kind, "note": b.Note})
	}
	for _, c := range f.Table.Columns {
		out.Columns = append(out.Columns, column{c.Key, c.Title})
	}
	for _, row := range f.Table.Rows {
		values := make(map[string]any, len(row))
		for i, cell := range row {
			values[f.Table.Columns[i].Key] = cell.Value
		}
		out.Rows = append(out.Rows, values)
	}
	return asJSON(out)
}

func asJSON(v any) (*content, error) {
	body, err := json.Marshal(v)
	return &content{kind: kindJSON, body: append(body, '\n')}, err
}

// round keeps so many decimals.
func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}
