package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mongodb"
)

const (
	// chunkRows is how many marshalled documents are held in memory at once,
	// about 1 GiB with the commands made of them. Larger registers are read
	// from the loaded mirror and written chunk by chunk, the reading untimed.
	chunkRows = 400_000
	// insertProbe and replaceProbe are how many rows each way to write is tried
	// with. replaceRows are then replaced the best way: with the indexes in
	// place all rows would take minutes, at the same rate.
	insertProbe  = 40_000
	replaceProbe = 8_000
	replaceRows  = 60_000
	// briefReplaceRows are replaced where nothing but ratios is asked for.
	briefReplaceRows = 16_000
)

// combination is one way to write.
type combination struct{ batch, connections int }

func (c combination) String() string {
	return fmt.Sprintf("%d rows a command, %d connections", c.batch, c.connections)
}

// combinations are all ways with these batch sizes.
func combinations(batches ...int) []combination {
	var all []combination
	for _, connections := range []int{1, 2, 4} {
		for _, batch := range batches {
			all = append(all, combination{batch, connections})
		}
	}
	return all
}

// insertWays are the ways that inserting is tried in. A brief measurement has one
// that is good everywhere: the best of many is another one each time, and varies.
func (r *rawLimits) insertWays() []combination {
	if r.brief {
		return []combination{{1000, 2}}
	}
	return combinations(1000, 2000, 5000)
}

// replaceWays is insertWays for replacing.
func (r *rawLimits) replaceWays() []combination {
	if r.brief {
		return []combination{{250, 2}}
	}
	return combinations(250, 1000, 2000)
}

// replaceSize is how many documents are replaced to find the best way, and then
// to measure it.
func (r *rawLimits) replaceSize() (probe, all int) {
	if r.brief {
		return 0, briefReplaceRows
	}
	return len(r.replaceWays()) * replaceProbe, replaceRows
}

// meter sums up what was timed: work in between, such as making commands, is
// left out.
type meter struct {
	rows int
	took time.Duration
	cpu  usage
}

// rawLimits measures what the driver can do on this engine with the documents
// of a loaded mirror, already marshalled.
type rawLimits struct {
	client *mongo.Client
	rows   int
	source *mongo.Collection
	use    func() usage // processor time so far
	brief  bool         // one way of each

	held   []bson.Raw // all documents, where they are few enough to be held
	probe  []bson.Raw // the first documents, to find the best way to insert with
	sample []bson.Raw // documents spread over all keys, as a run that changed them would write them

	plain, full *mongodb.Database // without and with the product's indexes
}

// prepare reads all documents once and keeps those that the phases use.
func (r *rawLimits) prepare(ctx context.Context) (meter, string, error) {
	// Each document of the sample is replaced only once, because a second replace
	// would find it in the caches.
	probe, measured := r.replaceSize()
	step := (r.rows + probe + measured - 1) / (probe + measured)
	n := 0
	err := r.chunks(ctx, func(docs []bson.Raw) error {
		if r.probe == nil {
			r.probe = slices.Clone(docs[:min(len(docs), insertProbe)])
		}
		for _, doc := range docs {
			if n%step == 0 {
				changed, err := asChanged(doc)
				if err != nil {
					return err
				}
				r.sample = append(r.sample, changed)
			}
			n++
		}
		return nil
	})
	return meter{}, thousands(n) + " documents read from the loaded mirror", err
}

// chunks calls f with all documents in key order, many at once.
func (r *rawLimits) chunks(ctx context.Context, f func([]bson.Raw) error) error {
	if r.held != nil {
		return f(r.held)
	}
	cursor, err := r.source.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(1000))
	if err != nil {
		return fmt.Errorf("read the loaded mirror: %w", err)
	}
	defer cursor.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is read to its end
	var chunk []bson.Raw
	for cursor.Next(ctx) {
		chunk = append(chunk, slices.Clone(cursor.Current))
		if len(chunk) == chunkRows {
			if err := f(chunk); err != nil {
				return err
			}
			chunk = nil
		}
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("read the loaded mirror: %w", err)
	}
	if r.rows <= chunkRows {
		r.held = chunk
	}
	return f(chunk)
}

// asChanged is the document that a run would write after a change: with another
// hash, the next version and another time.
func asChanged(stored bson.Raw) (bson.Raw, error) {
	canonical, err := lineage.Canonical(nil, stored)
	if err != nil {
		return nil, err
	}
	var old struct {
		Lineage struct {
			Hash      bson.Binary `bson:"hash"`
			Version   int32       `bson:"version"`
			FirstSeen time.Time   `bson:"first_seen"`
			Spec      string      `bson:"spec"`
		} `bson:"lineage"`
	}
	if err := bson.Unmarshal(stored, &old); err != nil {
		return nil, fmt.Errorf("read a stored document: %w", err)
	}
	next := lineage.Lineage{Version: old.Lineage.Version + 1, Run: "bench", FirstSeen: old.Lineage.FirstSeen, ChangedAt: time.Now().UTC(), Spec: old.Lineage.Spec}
	copy(next.Hash[:], old.Lineage.Hash.Data)
	next.Hash[0]++
	return lineage.Append(nil, canonical, &next)
}

// writeCommand is a write command, ready to be sent.
type writeCommand struct {
	body bson.Raw
	rows int
}

// commands makes write commands for documents, at most batch rows each. element
// turns a document into an element of the command's array.
func commands(verb, field string, docs []bson.Raw, batch int, element func(doc bson.Raw) bsoncore.Document) []writeCommand {
	var all []writeCommand
	for rows := range slices.Chunk(docs, batch) {
		array := bsoncore.NewArrayBuilder()
		for _, doc := range rows {
			array.AppendDocument(element(doc))
		}
		body := bsoncore.NewDocumentBuilder().AppendString(verb, mongodb.Businesses).AppendBoolean("ordered", false).
			AppendDocument("writeConcern", bsoncore.NewDocumentBuilder().AppendString("w", "majority").Build()).
			AppendArray(field, array.Build()).Build()
		all = append(all, writeCommand{bson.Raw(body), len(rows)})
	}
	return all
}

func inserts(docs []bson.Raw, batch int) []writeCommand {
	return commands("insert", "documents", docs, batch, func(doc bson.Raw) bsoncore.Document { return bsoncore.Document(doc) })
}

func replaces(docs []bson.Raw, batch int) []writeCommand {
	return commands("update", "updates", docs, batch, func(doc bson.Raw) bsoncore.Document {
		query := bsoncore.NewDocumentBuilder().AppendString("_id", doc.Lookup("_id").StringValue()).Build()
		return bsoncore.NewDocumentBuilder().AppendDocument("q", query).AppendDocument("u", bsoncore.Document(doc)).Build()
	})
}

// writer writes documents with one combination, timed by the meter.
type writer func(ctx context.Context, to *meter, db *mongo.Database, docs []bson.Raw, way combination) error

// insert sends prebuilt commands, as the product does.
func (r *rawLimits) insert(ctx context.Context, to *meter, db *mongo.Database, docs []bson.Raw, way combination) error {
	return r.send(ctx, to, db, inserts(docs, way.batch), way.connections)
}

// replace is insert for documents that are there.
func (r *rawLimits) replace(ctx context.Context, to *meter, db *mongo.Database, docs []bson.Raw, way combination) error {
	return r.send(ctx, to, db, replaces(docs, way.batch), way.connections)
}

// insertMany uses the driver's usual call.
func (r *rawLimits) insertMany(ctx context.Context, to *meter, db *mongo.Database, docs []bson.Raw, way combination) error {
	var batches [][]any
	for rows := range slices.Chunk(docs, way.batch) {
		batch := make([]any, len(rows))
		for i, doc := range rows {
			batch[i] = doc
		}
		batches = append(batches, batch)
	}
	return r.time(to, len(docs), func() error {
		return spread(ctx, len(batches), way.connections, func(ctx context.Context, i int) error {
			_, err := db.Collection(mongodb.Businesses).InsertMany(ctx, batches[i], options.InsertMany().SetOrdered(false))
			return err
		})
	})
}

func (r *rawLimits) send(ctx context.Context, to *meter, db *mongo.Database, all []writeCommand, connections int) error {
	rows := 0
	for _, c := range all {
		rows += c.rows
	}
	return r.time(to, rows, func() error {
		return spread(ctx, len(all), connections, func(ctx context.Context, i int) error {
			answer, err := db.RunCommand(ctx, all[i].body).Raw()
			if err != nil {
				return err
			}
			if n, ok := answer.Lookup("n").AsInt64OK(); !ok || n != int64(all[i].rows) {
				return fmt.Errorf("%d of %d rows were written", n, all[i].rows)
			}
			return nil
		})
	})
}

func (r *rawLimits) time(to *meter, rows int, f func() error) error {
	used, start := r.use(), time.Now()
	err := f()
	to.took += time.Since(start)
	to.cpu = to.cpu.plus(r.use().since(used))
	to.rows += rows
	return err
}

// spread calls f with 0 to n-1, atOnce of them concurrently.
func spread(ctx context.Context, n, atOnce int, f func(context.Context, int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range atOnce {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// empty makes an empty mirror, without indexes.
func (r *rawLimits) empty(ctx context.Context, name string) (*mongodb.Database, error) {
	if err := r.client.Database(rawDatabase + "_" + name).Drop(ctx); err != nil {
		return nil, fmt.Errorf("drop %s: %w", name, err)
	}
	// An index over some million documents takes minutes.
	m, err := mongodb.Open(ctx, r.client, rawDatabase, name, mongodb.WithScanTimeout(time.Hour))
	if err != nil {
		return nil, err
	}
	// Several connections that create it at the same time would conflict.
	return m, driverDatabase(m).CreateCollection(ctx, mongodb.Businesses)
}

// driverDatabase is the driver's view of a database.
func driverDatabase(of *mongodb.Database) *mongo.Database {
	return of.Collection(mongodb.Businesses).Database()
}

// best is the way in which trying takes the shortest time. Where there is one
// alone, nothing is tried.
func best(ways []combination, try func(way combination) (time.Duration, error)) (combination, error) {
	best, fastest := ways[0], time.Duration(0)
	if len(ways) == 1 {
		return best, nil
	}
	for _, way := range ways {
		took, err := try(way)
		if err != nil {
			return best, fmt.Errorf("with %s: %w", way, err)
		}
		if fastest == 0 || took < fastest {
			best, fastest = way, took
		}
	}
	return best, nil
}

// fill inserts all documents into an empty mirror, the way that is fastest for
// the first of them.
func (r *rawLimits) fill(ctx context.Context, name string, write writer) (m *mongodb.Database, all meter, way combination, err error) {
	way, err = best(r.insertWays(), func(way combination) (time.Duration, error) {
		m, err := r.empty(ctx, "probe")
		if err != nil {
			return 0, err
		}
		var tried meter
		err = write(ctx, &tried, driverDatabase(m), r.probe, way)
		return tried.took, errors.Join(err, driverDatabase(m).Drop(ctx))
	})
	if err != nil {
		return nil, all, way, fmt.Errorf("insert %w", err)
	}
	if m, err = r.empty(ctx, name); err != nil {
		return nil, all, way, err
	}
	err = r.chunks(ctx, func(docs []bson.Raw) error { return write(ctx, &all, driverDatabase(m), docs, way) })
	return m, all, way, err
}

func (r *rawLimits) bare(ctx context.Context) (meter, string, error) {
	m, all, best, err := r.fill(ctx, "bare", r.insert)
	r.plain = m
	return all, "prebuilt commands, " + best.String(), err
}

func (r *rawLimits) usual(ctx context.Context) (meter, string, error) {
	m, all, best, err := r.fill(ctx, "usual", r.insertMany)
	if err == nil {
		err = driverDatabase(m).Drop(ctx)
	}
	return all, "InsertMany, " + best.String(), err
}

func (r *rawLimits) indexed(ctx context.Context) (meter, string, error) {
	m, all, best, err := r.fill(ctx, "indexed", r.insert)
	if err != nil {
		return all, "", err
	}
	r.full = m
	inserted := all.took
	err = r.time(&all, 0, func() error {
		_, err := mirror.New(m).EnsureIndexes(ctx)
		return err
	})
	return all, fmt.Sprintf("%s; then the product's indexes in %.1f s", best, (all.took - inserted).Seconds()), err
}

func (r *rawLimits) replaceBare(ctx context.Context) (meter, string, error) {
	return r.replaceSample(ctx, driverDatabase(r.plain))
}

func (r *rawLimits) replaceIndexed(ctx context.Context) (meter, string, error) {
	return r.replaceSample(ctx, driverDatabase(r.full))
}

// replaceSample replaces the sample's documents, the way that is fastest for
// some of them.
func (r *rawLimits) replaceSample(ctx context.Context, db *mongo.Database) (all meter, note string, err error) {
	ways, sample := r.replaceWays(), r.sample
	probe := min(replaceProbe, len(sample)/(2*len(ways)))
	if probe == 0 {
		return all, "", errors.New("too few rows to measure replaces with")
	}
	way, err := best(ways, func(way combination) (time.Duration, error) {
		var tried meter
		err := r.replace(ctx, &tried, db, sample[:probe], way)
		sample = sample[probe:]
		return tried.took, err
	})
	if err != nil {
		return all, "", fmt.Errorf("replace %w", err)
	}
	err = r.replace(ctx, &all, db, sample, way)
	return all, fmt.Sprintf("sample of %s rows, prebuilt commands, %s", thousands(len(sample)), way), err
}

// drop deletes what is left of the raw limits' databases.
func (r *rawLimits) drop(ctx context.Context) (meter, string, error) {
	r.held, r.probe, r.sample = nil, nil, nil
	var err error
	for _, m := range []*mongodb.Database{r.plain, r.full} {
		if m != nil {
			err = errors.Join(err, driverDatabase(m).Drop(ctx))
		}
	}
	return meter{}, "raw databases dropped", err
}

// raw measures the raw limits with the documents of the warm-up load.
func (b *run) raw(ctx context.Context) error {
	r := &rawLimits{
		client: b.mongo, rows: b.Rows, source: b.mongo.Database(warmDatabase + "_" + dataset).Collection(mongodb.Businesses),
		use: func() usage { return readUsage(b.stack, 0) }, brief: b.Brief,
	}
	type rawStep struct {
		name string
		do   func(context.Context) (meter, string, error)
	}
	steps := []rawStep{
		{"", r.prepare},
		{lineInsert, r.bare},
		{lineInsertMany, r.usual},
		{lineIndexed, r.indexed},
		{lineReplaceBare, r.replaceBare},
		{lineReplace, r.replaceIndexed},
		{"", r.drop},
	}
	if b.Brief {
		steps = []rawStep{{"", r.prepare}, {lineIndexed, r.indexed}, {lineReplace, r.replaceIndexed}, {"", r.drop}}
	}
	for _, step := range steps {
		err := b.stack.Steps.Do("Raw", step.name, func() (string, error) {
			measured, note, err := step.do(ctx)
			if err != nil || step.name == "" {
				return note, err
			}
			line := measurement{Name: step.name, CPU: measured.cpu, Note: note}
			line.over(measured.rows, measured.took.Seconds())
			b.report.Lines = append(b.report.Lines, line)
			return fmt.Sprintf("%s: %s rows/s (%s)", step.name, thousands(int(line.RowsPerSecond)), note), nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(step.name, "raw limits"), err)
		}
	}
	return nil
}
