package mirror

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// runOrder lists runs by when they started: its _ids are
// <list>/<started>/<run>, so that the newest run of a list is one step in the
// index, however many there are. Sorting runs by a field makes some engines
// read all of them.
//
// An entry is written before the record says what the list is of, and holds
// only if the record does say so. So a crash in between leaves an entry that is
// passed over, and none is ever missing.
const runOrder = "runs.order"

// runList names a list of runs.
type runList string

const (
	allRuns       runList = "all"
	greenRuns     runList = "green"
	doneRuns      runList = "done"
	certifiedRuns runList = "certified"
	crawledRuns   runList = "crawled"
	skippedRuns   runList = "skipped" // whose probe found nothing new
	endedRuns     runList = "ended-"  // and the Ending: one list for each
)

func runLists() []runList {
	lists := []runList{allRuns, greenRuns, doneRuns, certifiedRuns, crawledRuns, skippedRuns}
	for _, ending := range Endings() {
		lists = append(lists, endedSo(ending))
	}
	return lists
}

// ending is the one of a list of ended runs.
func (l runList) ending() (Ending, bool) {
	ending, ok := strings.CutPrefix(string(l), string(endedRuns))
	return Ending(ending), ok
}

// has reports whether a run belongs to the list.
func (l runList) has(run *Run) bool {
	if ending, ok := l.ending(); ok {
		return run.Ending() == ending
	}
	switch l {
	case greenRuns:
		return doneRuns.has(run) && run.Outcome == OutcomeGreen
	case doneRuns:
		return run.Mirrors() && run.Status == StatusDone
	case certifiedRuns:
		return run.Status == StatusDone && run.Certificate.Outcome != ""
	case crawledRuns:
		return run.Crawl.Judged() && run.Gate.Holds()
	case skippedRuns:
		return run.Status == StatusSkipped && run.Probe.Decision == ProbeSkip
	default:
		return true
	}
}

// gains reports whether setting a field of a record may bring its run into the
// list.
func (l runList) gains(field string, value any) bool {
	top, _, _ := strings.Cut(field, ".")
	if ending, ok := l.ending(); ok {
		return (top == "outcome" || top == "status") && fmt.Sprint(value) == string(ending)
	}
	switch l {
	case greenRuns:
		return top == "outcome" && fmt.Sprint(value) == string(OutcomeGreen)
	case doneRuns:
		return top == "status" && fmt.Sprint(value) == string(StatusDone)
	case certifiedRuns:
		return top == "certificate"
	case crawledRuns:
		return top == "crawl"
	case skippedRuns:
		return top == "status" && fmt.Sprint(value) == string(StatusSkipped)
	default:
		return false
	}
}

// entry is the _id of a run's entry; of an empty run, what lies below all
// entries of the time.
func (l runList) entry(started time.Time, run string) string {
	return string(l) + "/" + started.UTC().Format("2006-01-02T15:04:05.000") + "/" + run
}

// list enters a run into lists.
func (m *Mirror) list(ctx context.Context, run *Run, lists []runList) error {
	if len(lists) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(lists))
	for i, l := range lists {
		id := l.entry(run.Started, run.ID)
		models[i] = mongo.NewReplaceOneModel().SetFilter(byID(id)).SetUpsert(true).
			SetReplacement(bson.D{{Key: "_id", Value: id}, {Key: "run", Value: run.ID}})
	}
	call, cancel := m.call(ctx)
	defer cancel()
	if _, err := m.db.Collection(runOrder).BulkWrite(call, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("list run: %w", err)
	}
	return nil
}

// listBefore enters a run into the lists that setting fields may bring it in.
func (m *Mirror) listBefore(ctx context.Context, id string, fields bson.D) error {
	var lists []runList
	for _, l := range runLists() {
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
	run, err := m.Run(ctx, id)
	if err != nil {
		return err
	}
	return m.list(ctx, &run, lists)
}

// listed reads runs of a list whose entries lie below the one given, newest
// first, from at most limit entries. last is the last of these, "" when there
// are none.
func (m *Mirror) listed(ctx context.Context, l runList, below string, limit int) (runs []Run, last string, err error) {
	return m.listedWithin(ctx, l, string(l)+"/", below, limit)
}

// listedWithin is listed, of the entries that lie above another one too.
func (m *Mirror) listedWithin(ctx context.Context, l runList, above, below string, limit int) (runs []Run, last string, err error) {
	entries, err := m.entries(ctx, above, below, -1, limit)
	if err != nil || len(entries) == 0 {
		return nil, "", err
	}
	records, err := m.runsOf(ctx, entries, options.Find())
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

// listEntry is a document of runOrder.
type listEntry struct {
	ID  string `bson:"_id"`
	Run string `bson:"run"`
}

// entries reads at most limit entries between two _ids, both exclusive,
// ascending (1) or descending (-1).
func (m *Mirror) entries(ctx context.Context, above, below string, direction, limit int) ([]listEntry, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(runOrder).Find(call,
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
func (m *Mirror) runsOf(ctx context.Context, entries []listEntry, opts *options.FindOptionsBuilder) (map[string]*Run, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Run
	}
	call, cancel := m.call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(RunRecords).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, opts)
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
