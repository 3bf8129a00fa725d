package runs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/certificate"
	"padron/internal/mongodb"
)

// list names a list of runs. The collection runs.order lists runs by when they
// started: its _ids are <list>/<started>/<run>, so that the newest run of a
// list is one step in the index, however many there are. Sorting runs by a
// field makes some engines read all of them.
//
// An entry is written before the record is changed so that the run belongs to
// the list, and counts only if the record says that it does. So a crash in
// between leaves an entry that readers skip, and no entry is ever missing.
type list string

const (
	allRuns       list = "all"
	greenRuns     list = "green"
	doneRuns      list = "done"
	certifiedRuns list = "certified"
	crawledRuns   list = "crawled"
	deepRuns      list = "deep"    // with a certificate of a deep check
	skippedRuns   list = "skipped" // whose probe found nothing new
	writerRuns    list = "writers" // that wrote rows and have not come to their end
	historyRuns   list = "history" // that reconstruct the spec's history
	endedRuns     list = "ended-"  // and the Ending: one list for each
)

func allLists() []list {
	lists := []list{allRuns, greenRuns, doneRuns, certifiedRuns, deepRuns, crawledRuns, skippedRuns, writerRuns, historyRuns}
	for _, ending := range Endings() {
		lists = append(lists, endedSo(ending))
	}
	return lists
}

// ending is the ending that a list of ended runs is about; false for other
// lists.
func (l list) ending() (Ending, bool) {
	ending, ok := strings.CutPrefix(string(l), string(endedRuns))
	return Ending(ending), ok
}

// has reports whether a run belongs to the list.
func (l list) has(run *Run) bool {
	if ending, ok := l.ending(); ok {
		return run.Ending() == ending
	}
	switch l {
	case greenRuns:
		return doneRuns.has(run) && run.Outcome == certificate.Green
	case doneRuns:
		return run.Mirrors() && run.Status == StatusDone
	case certifiedRuns:
		return run.Status == StatusDone && run.Certificate.Outcome != ""
	case deepRuns:
		looked, _ := run.Certificate.Deep()
		return run.Status == StatusDone && looked
	case crawledRuns:
		return run.Crawl.Gated() && run.Gate.Holds()
	case skippedRuns:
		return run.Status == StatusSkipped && run.Probe.Decision == ProbeSkip
	case writerRuns:
		return run.Writes && run.Status != StatusDone
	case historyRuns:
		return run.Trigger == TriggerHistory
	default:
		return true
	}
}

// gains reports whether setting a field of a record may bring its run into the
// list.
func (l list) gains(field string, value any) bool {
	top, _, _ := strings.Cut(field, ".")
	if ending, ok := l.ending(); ok {
		return (top == "outcome" || top == "status") && fmt.Sprint(value) == string(ending)
	}
	switch l {
	case greenRuns:
		return top == "outcome" && fmt.Sprint(value) == string(certificate.Green)
	case doneRuns:
		return top == "status" && fmt.Sprint(value) == string(StatusDone)
	case certifiedRuns:
		return top == "certificate"
	case deepRuns:
		v, ok := value.(certificate.Verdict)
		looked, _ := v.Deep()
		return ok && looked
	case crawledRuns:
		return top == "crawl"
	case skippedRuns:
		return top == "status" && fmt.Sprint(value) == string(StatusSkipped)
	case writerRuns:
		return top == "writes"
	default:
		return false
	}
}

// entry is the _id of a run's entry. With an empty run it is below all entries
// of that time.
func (l list) entry(started time.Time, run string) string {
	return string(l) + "/" + started.UTC().Format("2006-01-02T15:04:05.000") + "/" + run
}

// enter enters a run into lists.
func (s *Store) enter(ctx context.Context, run *Run, lists []list) error {
	if len(lists) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(lists))
	for i, l := range lists {
		id := l.entry(run.Started, run.ID)
		models[i] = mongo.NewReplaceOneModel().SetFilter(mongodb.ByID(id)).SetUpsert(true).
			SetReplacement(bson.D{{Key: "_id", Value: id}, {Key: "run", Value: run.ID}})
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	if _, err := s.db.Collection(mongodb.RunOrder).BulkWrite(call, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("list run: %w", err)
	}
	return nil
}

// enterBefore enters a run into the lists that it may belong to once fields are
// set.
func (s *Store) enterBefore(ctx context.Context, id string, fields bson.D) error {
	var lists []list
	for _, l := range allLists() {
		for _, f := range fields {
			if l.gains(f.Key, f.Value) {
				lists = append(lists, l)
				break
			}
		}
	}
	if len(lists) == 0 {
		return nil
	}
	run, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	return s.enter(ctx, &run, lists)
}

// listed reads runs of a list whose entries are below a given one, newest
// first, from at most limit entries. last is the last entry read, "" when there
// is none.
func (r *Reader) listed(ctx context.Context, l list, below string, limit int) (runs []Run, last string, err error) {
	return r.listedWithin(ctx, l, string(l)+"/", below, limit)
}

// listedWithin is listed, with a lower bound, exclusive, as well.
func (r *Reader) listedWithin(ctx context.Context, l list, above, below string, limit int) (runs []Run, last string, err error) {
	entries, err := r.entries(ctx, above, below, -1, limit)
	if err != nil || len(entries) == 0 {
		return nil, "", err
	}
	records, err := r.runsOf(ctx, entries, options.Find())
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		if run := records[e.Run]; run != nil && l.entry(run.Started, run.ID) == e.ID && l.has(run) {
			runs = append(runs, *run)
		}
	}
	return runs, entries[len(entries)-1].ID, nil
}

// listEntry is a document of runs.order.
type listEntry struct {
	ID  string `bson:"_id"`
	Run string `bson:"run"`
}

// entries reads at most limit entries between two _ids, both exclusive,
// ascending (1) or descending (-1).
func (r *Reader) entries(ctx context.Context, above, below string, direction, limit int) ([]listEntry, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.RunOrder).Find(call,
		bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: above}, {Key: "$lt", Value: below}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: direction}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	var entries []listEntry
	err = cursor.All(call, &entries)
	return entries, err
}

// runsOf reads the records of entries, by id.
func (r *Reader) runsOf(ctx context.Context, entries []listEntry, opts *options.FindOptionsBuilder) (map[string]*Run, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Run
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Runs).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, opts)
	if err != nil {
		return nil, err
	}
	var records []Run
	if err := cursor.All(call, &records); err != nil {
		return nil, err
	}
	runs := make(map[string]*Run, len(records))
	for i := range records {
		runs[records[i].ID] = &records[i]
	}
	return runs, nil
}
