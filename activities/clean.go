package activities

import (
	"context"
	"errors"
	"fmt"

	"padron/internal/cleaning"
	"padron/internal/mirror"
	"padron/internal/socrata"
)

// CleanPage turns a landed raw page into a landed page of documents with their
// hashes, in the same order. What the gate must know of it lies beside it in
// the landing (PageSummary).
//
// On the way the rows are held against what is stored: the gate sees what an
// upsert would do before anything is written, and a document that is stored as
// it is need not be landed.
func (a *Activities) CleanPage(ctx context.Context, in CleanInput) (CleanPage, error) {
	defer alive(ctx)()
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return CleanPage{}, classify(err)
	}
	var page CleanPage
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		page, err = a.clean(ctx, o, in)
		if errors.Is(err, errDisorder) {
			page, err = a.cleanUnordered(ctx, o, in)
		}
		return err
	})
	return page, classify(err)
}

// errDisorder says that rows do not come in the order that comparing needs.
var errDisorder = errors.New("keys are not in the order of bytes")

// cleanUnordered lands every document and then looks its row up by key, as the
// upsert will.
func (a *Activities) cleanUnordered(ctx context.Context, o *opened, in CleanInput) (CleanPage, error) {
	in.Compare = false
	page, err := a.clean(ctx, o, in)
	if err != nil {
		return CleanPage{}, err
	}
	found, err := o.mirror.Compare(ctx, o.landing, mirrorInput(UpsertInput{Run: in.Run, Part: in.Part, Range: in.Page.Range, Pages: []CleanPage{page}}))
	page.Compared = upsertResult(found)
	return page, err
}

// PageSummary is what the gate needs to know of a cleaned page.
type PageSummary struct {
	Part     int              `json:"part"`
	Nth      int              `json:"nth,omitempty"`
	First    string           `json:"first,omitempty"` // keys, in the page's order
	Last     string           `json:"last,omitempty"`
	Disorder string           `json:"disorder,omitempty"` // the first key that is less than the one before it, in bytes, or outside the range that was asked for
	Doubles  int              `json:"doubles,omitempty"`  // rows quarantined because the row before them has their key
	Profile  cleaning.Profile `json:"profile"`
	Version  Version          `json:"version"`
	Digest   mirror.Digest    `json:"digest"` // of the clean rows
}

func (a *Activities) clean(ctx context.Context, o *opened, in CleanInput) (CleanPage, error) {
	cleaner, err := cleaning.New(o.spec)
	if err != nil {
		return CleanPage{}, refuse(UnknownDataset, err.Error())
	}
	from, err := o.landing.Open(ctx, in.Page.ID, in.Page.SHA256)
	if err != nil {
		return CleanPage{}, fmt.Errorf("open raw page: %w", err)
	}
	defer from.Close() //nolint:errcheck // read to its verified end already
	name := fmt.Sprintf("%s.%d", label(in.Part), in.Nth)
	to, err := o.landing.Create(ctx, mirror.Meta{Run: in.Run.ID, Kind: mirror.KindClean, Page: name})
	if err != nil {
		return CleanPage{}, err
	}
	defer to.Abort()

	var stored *mirror.Comparison
	if in.Compare && !in.Page.Range.NullKeys {
		if stored, err = o.mirror.CompareTo(ctx, in.Page.covers()); err != nil {
			return CleanPage{}, err
		}
		defer stored.Close(ctx)
	}
	judged := map[string]bool{} // keys that the crawl has in quarantine
	if in.Of != "" {
		keys, err := o.mirror.QuarantinedKeys(ctx, in.Of)
		if err != nil {
			return CleanPage{}, err
		}
		for _, key := range keys {
			judged[key] = true
		}
	}
	shown := a.progress(o, in.Run, "clean", in.Part)
	summary := PageSummary{Part: in.Part, Nth: in.Nth, Version: in.Page.Version}
	records := mirror.NewPageWriter(to)
	read, rows, left := 0, 0, 0
	stands := "" // key of the last row that became a document
	for raw, err := range socrata.SplitRows(from) {
		if err != nil {
			return CleanPage{}, fmt.Errorf("read raw page: %w", err)
		}
		if read++; read > in.Page.Rows {
			continue // it belongs to the next page; read all the same, for the hash
		}
		row, err := cleaner.Clean(raw)
		if err != nil {
			return CleanPage{}, refuse(PageUnusable, fmt.Sprintf("row %d of page %s: %s", rows, in.Page.ID, err))
		}
		switch {
		case row.Quarantine != "":
		case row.Key == stands:
			row.Quarantine = "its key is that of a row before it"
			summary.Doubles++
		default:
			stands = row.Key
		}
		if in.Of != "" && (row.Quarantine != "" || judged[row.Key]) {
			rows++
			left++
			continue
		}
		if err := land(ctx, records, stored, &row, raw); err != nil {
			return CleanPage{}, fmt.Errorf("write cleaned page: %w", err)
		}
		if row.Quarantine == "" {
			summary.Digest.Add(row.Key, row.Hash)
		}
		if row.Key != "" {
			summary.follow(row.Key, in.Page.Range)
		}
		if rows++; rows%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return CleanPage{}, err
			}
			shown.rows(ctx, rows)
		}
	}
	if err := records.Flush(); err != nil {
		return CleanPage{}, fmt.Errorf("write cleaned page: %w", err)
	}
	var compared mirror.Compared
	if stored != nil {
		if compared, err = stored.End(ctx); err != nil {
			return CleanPage{}, err
		}
	}
	entry, err := to.Commit(ctx)
	if err != nil {
		return CleanPage{}, err
	}
	summary.Profile = cleaner.Profile()
	if err := o.landing.Attach(ctx, entry.ID, summary); err != nil {
		return CleanPage{}, err
	}
	shown.set(ctx, rows)
	page := summary.page(entry)
	page.Left = left
	page.Compared, page.Stored = upsertResult(compared.UpsertResult), compared.Stored
	if stored == nil {
		page.Compared.Inserted, page.Compared.Quarantined = page.Rows-page.Quarantined, page.Quarantined
	}
	return page, nil
}

// land writes a row to its page: the document, unless it is stored already.
func land(ctx context.Context, records *mirror.PageWriter, stored *mirror.Comparison, row *cleaning.Row, raw []byte) (err error) {
	same := false
	switch {
	case stored == nil:
	case row.Quarantine != "":
		err = stored.Quarantined(ctx, row.Key, row.Quarantine)
	default:
		same, err = stored.Row(ctx, row.Key, row.Hash)
	}
	switch {
	case errors.Is(err, mirror.ErrOrder), errors.Is(err, mirror.ErrDuplicateKey):
		return errDisorder
	case err != nil:
		return err
	case row.Quarantine != "":
		return records.Quarantine(row.Key, row.Quarantine, raw)
	case same:
		return records.Same(row.Key, row.Hash)
	}
	return records.Append(row.Key, row.Hash, row.Document)
}

// covers is the range of keys that the page is all of.
func (p RawPage) covers() socrata.Range {
	r := p.Range
	if p.More {
		r.UpTo = p.LastKey
	}
	return r
}

// page is the cleaned page that the summary lies beside.
func (s *PageSummary) page(entry mirror.Entry) CleanPage {
	return CleanPage{
		Landed: Landed{ID: entry.ID, SHA256: entry.SHA256}, Label: entry.Page,
		Rows: s.Profile.Rows, Quarantined: s.Profile.Quarantined + s.Doubles, Disorder: s.Disorder != "",
	}
}

// follow notes the next key and whether it keeps the order.
func (s *PageSummary) follow(key string, within socrata.Range) {
	outside := key <= within.After && within.After != "" || key > within.UpTo && within.UpTo != ""
	if s.Disorder == "" && (outside || s.First != "" && key < s.Last) {
		s.Disorder = key
	}
	if s.First == "" {
		s.First = key
	}
	s.Last = key
}
