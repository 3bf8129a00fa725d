package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"padron/internal/certificate"
	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/profile"
	"padron/internal/socrata"
)

// CleanInput asks to clean one raw page.
type CleanInput struct {
	Run  string
	At   time.Time // of the run
	Part int
	Nth  int // page of the part, 0 for the first
	Page RawPage
	// Compare holds the rows against what is stored, and lands the documents of
	// those only that differ.
	Compare bool
	// Repair is mirror.UpsertInput.Repair.
	Repair bool
	// Pass passes over rows that come with the same bytes as those that the stored
	// documents are of: they are counted and not cleaned. It needs Compare, and is
	// not done with Repair.
	Pass bool
	// Of makes the page one of some rows only, to be written beside the crawl of
	// this run: rows that cannot become documents, and those whose key the crawl
	// has in quarantine, are left out, because only a whole crawl can judge them.
	Of string
	// Progress, when set, is called after every thousand rows.
	Progress func(rows int)
}

// day is when the page's rows were as they are: the time of the portal's version,
// so that the same version gives the same documents; else that of the run.
func (in *CleanInput) day() time.Time {
	if served := in.Page.Version.Served; !served.IsZero() {
		return served
	}
	return in.At
}

// errDisorder says that rows do not come in the order that comparing needs.
var errDisorder = errors.New("keys are not in the order of bytes")

// errMistaken says that a row's key is not what it was taken for.
var errMistaken = errors.New("a row has another key than it seemed")

// progressEvery is how many rows pass between two calls of Progress.
const progressEvery = 1000

// Clean turns a landed raw page into a landed page of documents with their
// hashes, in the same order.
//
// On the way the rows are held against what is stored: the gate sees what an
// upsert would do before anything is written, and a document that is stored as
// it is need not be landed. When keys do not come in byte order, every document
// is landed, and its row is looked up by key afterwards, as the upsert will.
func (p *Pages) Clean(ctx context.Context, in CleanInput) (CleanPage, error) {
	page, summary, err := p.clean(ctx, &in)
	if errors.Is(err, errMistaken) || in.Pass && errors.Is(err, errDisorder) {
		in.Pass = false
		page, summary, err = p.clean(ctx, &in)
	}
	if errors.Is(err, errDisorder) {
		in.Compare = false
		if page, summary, err = p.clean(ctx, &in); err != nil {
			return CleanPage{}, err
		}
		summary.Compared, err = p.compare(ctx, in.Part, in.Page.Range, []CleanPage{page}, in.Repair)
	}
	if err != nil {
		return CleanPage{}, err
	}
	return page, p.Zone.Attach(ctx, page.ID, summary)
}

// Compare holds the cleaned pages of one part of an earlier crawl against what is
// stored now, and keeps what it found with the last of them.
func (p *Pages) Compare(ctx context.Context, part int, of socrata.Range, pages []CleanPage) error {
	if len(pages) == 0 {
		return nil
	}
	found, err := p.compare(ctx, part, of, pages, false)
	// A key in two ranges is for the gate to see, which sees them all.
	if errors.Is(err, landing.ErrOrder) || errors.Is(err, landing.ErrDuplicateKey) {
		found, err = nil, nil
	}
	if err != nil {
		return err
	}
	for i, page := range pages {
		summary, err := p.Summary(ctx, page.ID)
		if err != nil {
			return err
		}
		summary.Compared = &Compared{}
		if i == len(pages)-1 {
			summary.Compared = found
		}
		if err := p.Zone.Attach(ctx, page.ID, summary); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pages) compare(ctx context.Context, part int, of socrata.Range, pages []CleanPage, repair bool) (*Compared, error) {
	in := mirror.UpsertInput{Part: Label(part), Range: of, Ordered: true, Repair: repair}
	for _, page := range pages {
		in.Pages = append(in.Pages, page.Ref())
		summary, err := p.Summary(ctx, page.ID)
		if err != nil && !errors.Is(err, ErrNoSummary) { // the page was just cleaned
			return nil, err
		}
		in.Ordered = in.Ordered && summary.Disorder == "" && err == nil
	}
	found, err := p.Mirror.Compare(ctx, p.Zone, in)
	if err != nil {
		return nil, err
	}
	return compared(found), nil
}

func compared(r mirror.UpsertResult) *Compared {
	return &Compared{New: r.Inserted, Changed: r.Replaced, Same: r.Unchanged, Missing: r.Missing, Stale: r.Stale}
}

// Summary reads what was attached to a cleaned page; ErrNoSummary when nothing
// was.
func (p *Pages) Summary(ctx context.Context, page string) (Summary, error) {
	var s Summary
	found, err := p.Zone.Summary(ctx, page, &s)
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrNoSummary, page)
	}
	return s, err
}

// cleaned is the cleaning of one page.
type cleaned struct {
	spec    *dataset.Spec
	cleaner *cleaning.Cleaner
	records *landing.PageWriter
	stored  *mirror.Comparison // nil: the rows are not compared
	within  socrata.Range
	partial bool            // rows that only a whole crawl can judge are left out
	judged  map[string]bool // keys that the crawl has in quarantine
	sketch  *profile.Sketch // of the documents; nil: not all of them are seen

	summary Summary
	digest  lineage.Digest
	rows    int
	left    int
	doubles int
	noted   int            // stored documents that get another fingerprint
	reasons map[string]int // of quarantined rows, with how many there are
	tied    []tie          // rows of one key, until a row with another comes
	spare   []tie          // whose memory is used again
	pass    bool
}

// tie is a row that waits for others with its key.
type tie struct {
	row       cleaning.Row
	raw       []byte
	doc       []byte // the memory of row.Document
	mark      []byte // that of row.Fingerprint
	uncleaned bool   // only its key is known, as far as that can be seen (cleaning.KeyOf)
}

func (p *Pages) clean(ctx context.Context, in *CleanInput) (CleanPage, Summary, error) {
	cleaner, err := cleaning.New(p.Spec)
	if err != nil {
		return CleanPage{}, Summary{}, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	cleaner.AsOf(in.day().In(p.Spec.Location()))
	from, err := p.Zone.Open(ctx, in.Page.ID, in.Page.SHA256)
	if err != nil {
		return CleanPage{}, Summary{}, fmt.Errorf("open raw page: %w", err)
	}
	defer from.Close() //nolint:errcheck // read to its verified end already
	to, err := p.Zone.Create(ctx, landing.Meta{Run: in.Run, Kind: landing.KindClean, Page: fmt.Sprintf("%s.%d", Label(in.Part), in.Nth)})
	if err != nil {
		return CleanPage{}, Summary{}, err
	}
	defer to.Abort()
	c := cleaned{
		spec: p.Spec, cleaner: cleaner, records: landing.NewPageWriter(to), within: in.Page.Range, partial: in.Of != "",
		reasons: map[string]int{},
		summary: Summary{Part: in.Part, Nth: in.Nth, NullKeys: in.Page.Range.NullKeys, GatePage: certificate.GatePage{Version: in.Page.Version}},
	}
	if in.Of == "" {
		c.sketch = profile.New(profile.Of(p.Spec))
	}
	if in.Compare && !in.Page.Range.NullKeys {
		if c.stored, err = p.Mirror.CompareTo(ctx, in.Page.covers(), in.Repair); err != nil {
			return CleanPage{}, Summary{}, err
		}
		c.pass = in.Pass && !in.Repair
		defer c.stored.Close(ctx)
	}
	if c.judged, err = p.judged(ctx, in.Of); err != nil {
		return CleanPage{}, Summary{}, err
	}
	if err := c.read(ctx, from, in); err != nil {
		return CleanPage{}, Summary{}, err
	}
	if err := c.end(ctx); err != nil {
		return CleanPage{}, Summary{}, err
	}
	entry, err := to.Commit(ctx)
	if err != nil {
		return CleanPage{}, Summary{}, err
	}
	return c.summary.page(entry, c.left), c.summary, nil
}

// judged are the keys that a run's crawl has in quarantine.
func (p *Pages) judged(ctx context.Context, run string) (map[string]bool, error) {
	judged := map[string]bool{}
	if run == "" {
		return judged, nil
	}
	keys, err := p.Quarantine.Keys(ctx, run)
	for _, key := range keys {
		judged[key] = true
	}
	return judged, err
}

// read cleans the rows of a raw page.
func (c *cleaned) read(ctx context.Context, from io.Reader, in *CleanInput) error {
	read := 0
	for raw, err := range socrata.SplitRows(from) {
		if err != nil {
			return fmt.Errorf("read raw page: %w", err)
		}
		if read++; read > in.Page.Rows {
			continue // it belongs to the next page; read all the same, for the hash
		}
		if err := c.row(ctx, raw); err != nil {
			return fmt.Errorf("row %d of page %s: %w", c.rows, in.Page.ID, err)
		}
		if c.rows++; c.rows%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if in.Progress != nil {
				in.Progress(c.rows)
			}
		}
	}
	return c.settle(ctx)
}

// row takes one row, and lands those before it when it has another key.
func (c *cleaned) row(ctx context.Context, raw []byte) error {
	var t tie
	if n := len(c.spare); n > 0 {
		t, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	t.raw, t.row = append(t.raw[:0], raw...), cleaning.Row{}
	key, seen := []byte(nil), false
	if c.pass {
		key, seen = c.cleaner.KeyOf(raw)
	}
	if t.uncleaned = seen; seen {
		t.row.Key = string(key)
	} else if err := c.clean(&t); err != nil {
		return err
	}
	if len(c.tied) > 0 && (t.row.Key == "" || t.row.Key != c.tied[0].row.Key) {
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	c.tied = append(c.tied, t)
	return nil
}

// clean cleans a row that waits. What was taken for its key must be it.
func (c *cleaned) clean(t *tie) error {
	row, err := c.cleaner.Clean(t.raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if t.uncleaned && row.Key != t.row.Key {
		return errMistaken
	}
	t.row, t.uncleaned = row, false
	if row.Document != nil {
		t.doc = append(t.doc[:0], row.Document...)
		t.row.Document = t.doc
	}
	if row.Fingerprint != nil {
		t.mark = append(t.mark[:0], row.Fingerprint...)
		t.row.Fingerprint = t.mark
	}
	return nil
}

// passOver counts a row, in place of cleaning it, that comes with the same bytes
// as the one that the stored document is of.
func (c *cleaned) passOver(ctx context.Context, t *tie) error {
	hash, known, err := c.stored.Stored(ctx, t.row.Key)
	if err == nil && known != nil && c.cleaner.Pass(t.raw, known, hash) {
		t.row.Hash, t.uncleaned = hash, false
		c.summary.Passed++
		c.sketch, c.summary.Unsketched = nil, "rows that came as before were passed over"
	}
	return err
}

// settle lands the rows of one key. A portal has no order for them, so they get
// one here, by what the portal says in them: the same rows give the same
// document, whatever order they came in.
func (c *cleaned) settle(ctx context.Context) error {
	if len(c.tied) == 1 && c.tied[0].uncleaned {
		if err := c.passOver(ctx, &c.tied[0]); err != nil {
			return err
		}
	}
	for i := range c.tied {
		if c.tied[i].uncleaned {
			if err := c.clean(&c.tied[i]); err != nil {
				return err
			}
		}
	}
	if len(c.tied) > 1 {
		slices.SortFunc(c.tied, func(a, b tie) int {
			return bytes.Compare(c.canonical(a.raw), c.canonical(b.raw))
		})
	}
	has := false
	for i := range c.tied {
		row := &c.tied[i].row
		switch {
		case row.Quarantine != "":
		case has:
			row.Quarantine = "its key is that of another row"
			c.doubles++
		default:
			has = true
		}
		if c.partial && (row.Quarantine != "" || c.judged[row.Key]) {
			c.left++
			continue
		}
		if err := c.land(ctx, row, c.tied[i].raw); err != nil {
			return err
		}
		if row.Quarantine == "" {
			c.digest.Add(row.Key, row.Hash)
			if err := c.describe(row); err != nil {
				return err
			}
		} else {
			c.reasons[row.Quarantine]++
		}
		if row.Key != "" {
			c.summary.follow(row.Key, c.within)
		}
	}
	c.spare, c.tied = append(c.spare, c.tied...), c.tied[:0]
	return nil
}

// describe adds a document to what the page's documents hold.
func (c *cleaned) describe(row *cleaning.Row) error {
	if c.sketch == nil {
		return nil
	}
	return c.sketch.Add(row.Document)
}

// canonical is what is stored of a row, with its names in order and without white
// space, where it can be read.
func (c *cleaned) canonical(raw []byte) []byte {
	options := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), json.Deterministic(true))
	var row map[string]jsontext.Value
	if err := json.Unmarshal(raw, &row, options); err != nil {
		return raw
	}
	maps.DeleteFunc(row, func(column string, _ jsontext.Value) bool {
		_, ignored := c.spec.Ignored[column]
		return ignored || c.spec.IsVolatile(column)
	})
	text, err := json.Marshal(row, options)
	if err != nil {
		return raw
	}
	v := jsontext.Value(text)
	if err := v.Canonicalize(options); err != nil {
		return raw
	}
	return v
}

// maxKept bounds what is kept of a row that cannot become a document, in bytes:
// a document of the quarantine must fit into MongoDB's 16 MiB, and a batch of
// them into memory.
const maxKept = 64 << 10

// kept is what is kept of a row that cannot become a document: the beginning of
// a large one, with U+FFFD for what is not valid UTF-8, which no database takes.
func kept(raw []byte) []byte {
	text := bytes.ToValidUTF8(raw[:min(len(raw), maxKept)], []byte("\ufffd"))
	if len(raw) > maxKept {
		text = append(text, "…"...)
	}
	return text
}

// land writes a row to its page: the document, unless it is stored already.
func (c *cleaned) land(ctx context.Context, row *cleaning.Row, raw []byte) (err error) {
	same := false
	switch {
	case c.stored == nil:
	case row.Quarantine != "":
		err = c.stored.Quarantined(ctx, row.Key, row.Quarantine)
	default:
		same, err = c.stored.Row(ctx, row.Key, row.Hash)
	}
	var note []byte
	if err == nil && same && row.Fingerprint != nil {
		var known []byte
		if _, known, err = c.stored.Stored(ctx, row.Key); !bytes.Equal(known, row.Fingerprint) {
			note = row.Fingerprint
			c.noted++
		}
	}
	switch {
	case errors.Is(err, landing.ErrOrder), errors.Is(err, landing.ErrDuplicateKey):
		return errDisorder
	case err != nil:
		return err
	case row.Quarantine != "":
		return c.records.Quarantine(row.Key, row.Quarantine, kept(raw))
	case same:
		return c.records.Same(row.Key, row.Hash, note)
	}
	return c.records.Append(row.Key, row.Hash, row.Document, row.Fingerprint)
}

// end completes page and summary after the last row.
func (c *cleaned) end(ctx context.Context) error {
	if err := c.records.Flush(); err != nil {
		return fmt.Errorf("write cleaned page: %w", err)
	}
	counts := c.cleaner.Profile()
	s := &c.summary
	s.Profile = certificate.Profile{Rows: int64(counts.Rows), Missing: counts.Missing, Flags: counts.Flags, Unknown: counts.Unknown}
	s.Doubles, s.Quarantined, s.Reasons, s.Digest = c.doubles, counts.Quarantined+c.doubles, c.reasons, c.digest
	if c.sketch != nil {
		var err error
		if s.Sketch, err = c.sketch.Store(); errors.Is(err, profile.ErrTooLarge) {
			s.Unsketched = err.Error()
		} else if err != nil {
			return err
		}
	}
	if c.stored == nil {
		return nil
	}
	found, err := c.stored.End(ctx)
	if err != nil {
		return err
	}
	s.Compared = compared(found.UpsertResult)
	s.Compared.Stored, s.Compared.Noted = &found.Stored, c.noted
	return nil
}

// page is the cleaned page that the summary lies beside.
func (s *Summary) page(entry landing.Entry, left int) CleanPage {
	return CleanPage{Landed: Landed{ID: entry.ID, SHA256: entry.SHA256}, Label: entry.Page, Rows: int(s.Profile.Rows), Left: left}
}

// follow notes the next key and whether it keeps the order.
func (s *Summary) follow(key string, within socrata.Range) {
	outside := key <= within.After && within.After != "" || key > within.UpTo && within.UpTo != ""
	if s.Disorder == "" && (outside || s.First != "" && key < s.Last) {
		s.Disorder = key
	}
	if s.First == "" {
		s.First = key
	}
	s.Last = key
}

// CleanKeys lists the keys whose rows in a cleaned page all became documents.
func (p *Pages) CleanKeys(ctx context.Context, page CleanPage) ([]string, error) {
	content, err := p.Zone.Open(ctx, page.ID, page.SHA256)
	if err != nil {
		return nil, err
	}
	defer content.Close() //nolint:errcheck // read to its verified end
	var keys, bad []string
	records := landing.NewPageReader(content)
	for {
		var rec landing.Record
		err := records.Next(&rec)
		if errors.Is(err, io.EOF) {
			return slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(bad, key) }), nil
		}
		if err != nil {
			return nil, err
		}
		if rec.Quarantine == "" {
			keys = append(keys, rec.Key)
		} else {
			bad = append(bad, rec.Key)
		}
	}
}
