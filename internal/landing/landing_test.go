package landing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// zoneUnderTest is one implementation, with ways to look and reach behind
// its interface.
type zoneUnderTest struct {
	Zone
	stored  func(t *testing.T) int        // how many pieces of content there are, visible or not
	damage  func(t *testing.T, id string) // flips a byte of the stored content
	lose    func(t *testing.T, id string) // removes stored content
	abandon func(t *testing.T)            // makes every unfinished attempt two days old
	collect func(context.Context) error   // removes attempts older than a day
	stray   func(t *testing.T)            // puts things beside the pages of run r that Padron did not
}

func dirUnderTest(t *testing.T) *zoneUnderTest {
	root := filepath.Join(t.TempDir(), "a [dir] with * in it")
	zone, err := NewDirectory(root)
	require.NoError(t, err)
	l := zone.(*directory)
	content := func(t *testing.T) []string {
		var names []string
		require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if !d.IsDir() && strings.HasSuffix(path, contentExt) {
				names = append(names, path)
			}
			return err
		}))
		return names
	}
	return &zoneUnderTest{
		Zone:   l,
		stored: func(t *testing.T) int { return len(content(t)) },
		damage: func(t *testing.T, id string) {
			b, err := os.ReadFile(l.path(id, contentExt))
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.WriteFile(l.path(id, contentExt), b, 0o600))
		},
		lose: func(t *testing.T, id string) { require.NoError(t, os.Remove(l.path(id, contentExt))) },
		abandon: func(t *testing.T) {
			old := time.Now().Add(-48 * time.Hour)
			for _, name := range content(t) {
				require.NoError(t, os.Chtimes(name, old, old))
			}
		},
		collect: func(ctx context.Context) error { return l.collect(ctx, time.Now().Add(-abandonedAfter)) },
		stray: func(t *testing.T) {
			old := time.Now().Add(-48 * time.Hour)
			for _, name := range []string{"notes.json", "a copy.json", "raw-0-0.json", ".partial-x/in it", "folder.json/in it", "x.s2/in it", "../my notes/a.json"} {
				path := filepath.Join(root, "r", name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte("[1, 2"), 0o600))
				require.NoError(t, os.Chtimes(path, old, old))
				if filepath.Base(path) == "in it" {
					require.NoError(t, os.Chtimes(filepath.Dir(path), old, old))
				}
			}
		},
	}
}

func gridFSUnderTest(t *testing.T) *zoneUnderTest {
	l := newGridFS(mongodbtest.Open(t))
	return &zoneUnderTest{
		Zone: l,
		stored: func(t *testing.T) int {
			ids := l.chunks.Distinct(t.Context(), "files_id", bson.D{})
			var names []string
			require.NoError(t, ids.Decode(&names))
			return len(names)
		},
		damage: func(t *testing.T, id string) {
			raw, err := l.chunks.FindOne(t.Context(), mongodb.ByID(chunkID(id, 0))).Raw()
			require.NoError(t, err)
			_, data := raw.Lookup("data").Binary()
			data[len(data)/2] ^= 1
			_, err = l.chunks.UpdateOne(t.Context(), mongodb.ByID(chunkID(id, 0)), bson.D{{Key: "$set", Value: bson.D{{Key: "data", Value: data}}}})
			require.NoError(t, err)
		},
		lose: func(t *testing.T, id string) {
			_, err := l.chunks.DeleteOne(t.Context(), mongodb.ByID(chunkID(id, 0)))
			require.NoError(t, err)
		},
		abandon: func(t *testing.T) {
			_, err := l.attempts.UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: time.Now().Add(-48 * time.Hour)}}}})
			require.NoError(t, err)
		},
		collect: func(ctx context.Context) error { return l.collect(ctx, time.Now().Add(-abandonedAfter)) },
		stray: func(t *testing.T) {
			_, err := l.files.InsertMany(t.Context(), []any{
				bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "filename", Value: "notes.txt"}, {Key: "uploadDate", Value: time.Now()}},
				bson.D{{Key: "_id", Value: "r/notes"}, {Key: "filename", Value: "notes.txt"}, {Key: "uploadDate", Value: time.Now()}},
				bson.D{{Key: "_id", Value: "r/text"}, {Key: "length", Value: "long"}, {Key: "metadata", Value: "none"}},
			})
			require.NoError(t, err)
		},
	}
}

func TestZone(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *zoneUnderTest{"dir": dirUnderTest, "gridfs": gridFSUnderTest} {
		t.Run(name, func(t *testing.T) {
			for test, run := range map[string]func(*testing.T, *zoneUnderTest){
				"round trip":          testRoundTrip,
				"several chunks":      testChunks,
				"uncommitted":         testUncommitted,
				"corrupt":             testCorrupt,
				"summary":             testSummary,
				"delete":              testDelete,
				"prune":               testPrune,
				"collect":             testCollect,
				"odd names":           testOddNames,
				"strays":              testStrays,
				"cancelled":           testCancelled,
				"ids from elsewhere":  testForeignIDs,
				"two attempts at one": testTwoAttempts,
			} {
				t.Run(test, func(t *testing.T) { run(t, open(t)) })
			}
		})
	}
}

func land(t *testing.T, l Zone, meta Meta, content string) Entry {
	t.Helper()
	w, err := l.Create(t.Context(), meta)
	require.NoError(t, err)
	defer w.Abort()
	_, err = io.WriteString(w, content)
	require.NoError(t, err)
	entry, err := w.Commit(t.Context())
	require.NoError(t, err)
	return entry
}

func readLanded(t *testing.T, l Zone, id, sum string) (string, error) {
	t.Helper()
	r, err := l.Open(t.Context(), id, sum)
	if err != nil {
		return "", err
	}
	defer func() { require.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	return string(b), err
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func testRoundTrip(t *testing.T, l *zoneUnderTest) {
	content := strings.Repeat(`{"ttxid":"0000024-01-001"}`, 1000)
	entry := land(t, l, Meta{Run: "manual-1", Kind: KindRaw, Page: "0003"}, content)
	assert.Equal(t, sumOf(content), entry.SHA256)
	assert.EqualValues(t, len(content), entry.Bytes)
	assert.Less(t, entry.StoredBytes, entry.Bytes/10)
	assert.Equal(t, []string{"manual-1", KindRaw, "0003"}, []string{entry.Run, entry.Kind, entry.Page})
	assert.WithinDuration(t, time.Now(), entry.Created, time.Minute)

	for _, sum := range []string{entry.SHA256, ""} {
		got, err := readLanded(t, l, entry.ID, sum)
		require.NoError(t, err)
		assert.Equal(t, content, got)
	}
	empty := land(t, l, Meta{Run: "manual-1", Kind: KindClean, Page: "0003"}, "")
	got, err := readLanded(t, l, empty.ID, empty.SHA256)
	require.NoError(t, err)
	assert.Empty(t, got)

	list, err := l.List(t.Context(), "manual-1")
	require.NoError(t, err)
	assert.Equal(t, []Entry{empty, entry}, list)
	list, err = l.List(t.Context(), "manual")
	require.NoError(t, err)
	assert.Empty(t, list, "a run's name that starts another's")
}

func testChunks(t *testing.T, l *zoneUnderTest) {
	content := make([]byte, 3*chunkSize+chunkSize/2)
	_, err := rand.Read(content) // does not compress
	require.NoError(t, err)
	entry := land(t, l, Meta{Run: "r", Kind: KindRaw, Page: "0"}, string(content))
	assert.Greater(t, entry.StoredBytes, int64(3*chunkSize))
	got, err := readLanded(t, l, entry.ID, entry.SHA256)
	require.NoError(t, err)
	assert.Equal(t, string(content), got)
}

func testUncommitted(t *testing.T, l *zoneUnderTest) {
	w, err := l.Create(t.Context(), Meta{Run: "r", Kind: KindRaw, Page: "0"})
	require.NoError(t, err)
	_, err = io.WriteString(w, "half")
	require.NoError(t, err)
	list, err := l.List(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, list)
	w.Abort()
	w.Abort()
	assert.Zero(t, l.stored(t))
	_, err = w.Commit(t.Context())
	require.Error(t, err)
	list, err = l.List(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, list)
}

func testCorrupt(t *testing.T, l *zoneUnderTest) {
	content := strings.Repeat("some row, ", 10_000)
	entry := land(t, l, Meta{Run: "r", Kind: KindClean, Page: "0"}, content)
	other := land(t, l, Meta{Run: "r", Kind: KindClean, Page: "1"}, "another page")

	_, err := readLanded(t, l, entry.ID, other.SHA256)
	require.ErrorIs(t, err, ErrCorrupt)
	l.damage(t, entry.ID)
	_, err = readLanded(t, l, entry.ID, entry.SHA256)
	require.ErrorIs(t, err, ErrCorrupt)
	l.lose(t, other.ID)
	_, err = readLanded(t, l, other.ID, other.SHA256)
	require.ErrorIs(t, err, ErrCorrupt)
}

func testSummary(t *testing.T, l *zoneUnderTest) {
	type profile struct {
		Rows    int
		Missing map[string]int
	}
	entry := land(t, l, Meta{Run: "r", Kind: KindClean, Page: "0"}, "x")
	var got profile
	found, err := l.Summary(t.Context(), entry.ID, &got)
	require.NoError(t, err)
	assert.False(t, found)

	want := profile{Rows: 3, Missing: map[string]int{":@computed_region_6qbp.sg9q": 2, "$odd": 1}}
	require.NoError(t, l.Attach(t.Context(), entry.ID, profile{Rows: 1}))
	require.NoError(t, l.Attach(t.Context(), entry.ID, want))
	found, err = l.Summary(t.Context(), entry.ID, &got)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, want, got)

	list, err := l.List(t.Context(), "r")
	require.NoError(t, err)
	assert.Equal(t, []Entry{entry}, list)
	require.ErrorIs(t, l.Attach(t.Context(), entry.ID+"0", want), ErrNoPage)
}

func testDelete(t *testing.T, l *zoneUnderTest) {
	a := land(t, l, Meta{Run: "r", Kind: KindRaw, Page: "0"}, "a")
	b := land(t, l, Meta{Run: "r", Kind: KindRaw, Page: "1"}, "b")
	require.NoError(t, l.Attach(t.Context(), a.ID, 1))
	require.NoError(t, l.Delete(t.Context(), a.ID, a.ID, "r/raw-9-0123"))
	_, err := l.Open(t.Context(), a.ID, "")
	require.ErrorIs(t, err, ErrNoPage)
	list, err := l.List(t.Context(), "r")
	require.NoError(t, err)
	assert.Equal(t, []Entry{b}, list)
	assert.Equal(t, 1, l.stored(t))
	require.NoError(t, l.Delete(t.Context()))
}

func testPrune(t *testing.T, l *zoneUnderTest) {
	for _, run := range []string{"oldest", "older", "old", "newest"} {
		land(t, l, Meta{Run: run, Kind: KindRaw, Page: "0"}, run)
		land(t, l, Meta{Run: run, Kind: KindRaw, Page: "1"}, run)
		time.Sleep(2 * time.Millisecond) // times are kept to the millisecond
	}
	runs := func() []string {
		list, err := l.List(t.Context(), "")
		require.NoError(t, err)
		var names []string
		for _, e := range list {
			if e.Page == "0" {
				names = append(names, e.Run)
			}
		}
		return names
	}
	n, err := l.Prune(t.Context(), 2, "oldest")
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{"newest", "old", "oldest"}, runs())
	n, err = l.Prune(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, 4, n)
	assert.Equal(t, []string{"newest"}, runs(), "the newest is never pruned")
	assert.Equal(t, 2, l.stored(t))
}

func testCollect(t *testing.T, l *zoneUnderTest) {
	kept := land(t, l, Meta{Run: "r", Kind: KindRaw, Page: "0"}, "kept")
	crash := func() {
		w, err := l.Create(t.Context(), Meta{Run: "r2", Kind: KindRaw, Page: "0"})
		require.NoError(t, err)
		content := make([]byte, 2*chunkSize)
		_, err = rand.Read(content)
		require.NoError(t, err)
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	crash()
	require.NoError(t, l.collect(t.Context()))
	assert.Equal(t, 2, l.stored(t), "an attempt of today may still be at work")
	l.abandon(t)
	require.NoError(t, l.collect(t.Context()))
	assert.Equal(t, 1, l.stored(t))
	got, err := readLanded(t, l, kept.ID, kept.SHA256)
	require.NoError(t, err)
	assert.Equal(t, "kept", got)
}

// What somebody else put beside the pages fails nothing and is left alone.
func testStrays(t *testing.T, l *zoneUnderTest) {
	page := land(t, l, Meta{Run: "r", Kind: KindRaw, Page: "0"}, "kept")
	l.stray(t)
	list, err := l.List(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, []Entry{page}, list)
	require.NoError(t, l.collect(t.Context()))
	n, err := l.Prune(t.Context(), 1)
	require.NoError(t, err)
	assert.Zero(t, n)
	land(t, l, Meta{Run: "s", Kind: KindRaw, Page: "0"}, "newer")
	n, err = l.Prune(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "of the pages, the older one")
}

func testOddNames(t *testing.T, l *zoneUnderTest) {
	for _, run := range []string{"manual-2026-11-23T16:11:58.123Z", "../up", ".hidden", "a/b", `c:\d`, "é 日", "%2F"} {
		meta := Meta{Run: run, Kind: KindRaw, Page: "(012/3, ../../…]"}
		entry := land(t, l, meta, run)
		got, err := readLanded(t, l, entry.ID, entry.SHA256)
		require.NoError(t, err)
		assert.Equal(t, run, got)
		list, err := l.List(t.Context(), run)
		require.NoError(t, err)
		assert.Equal(t, []Entry{entry}, list)
	}
	for name, meta := range map[string]Meta{
		"no run":    {Kind: KindRaw},
		"no kind":   {Run: "r"},
		"long run":  {Run: strings.Repeat("r", 300), Kind: KindRaw},
		"long page": {Run: "r", Kind: KindRaw, Page: strings.Repeat("p", 300)},
	} {
		_, err := l.Create(t.Context(), meta)
		require.Error(t, err, name)
	}
}

func testCancelled(t *testing.T, l *zoneUnderTest) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := l.Create(ctx, Meta{Run: "r", Kind: KindRaw, Page: "0"})
	require.NoError(t, err)
	_, err = io.WriteString(w, "x")
	require.NoError(t, err)
	cancel()
	_, err = w.Commit(ctx)
	require.ErrorIs(t, err, context.Canceled)
	w.Abort()
	assert.Zero(t, l.stored(t), "abort cleans up although its context is over")
	list, err := l.List(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, list)
}

func testForeignIDs(t *testing.T, l *zoneUnderTest) {
	for _, id := range []string{"", "/", "a", "a/", "/b", "../../etc/passwd", "a/../b", "a/.b", "a/b/c", "r/raw-0-0123456789abcdef01234567", `a/..\b`} {
		_, err := l.Open(t.Context(), id, "")
		require.ErrorIs(t, err, ErrNoPage, id)
		_, err = l.Summary(t.Context(), id, new(int))
		require.ErrorIs(t, err, ErrNoPage, id)
		require.NoError(t, l.Delete(t.Context(), id), id)
	}
}

func testTwoAttempts(t *testing.T, l *zoneUnderTest) {
	meta := Meta{Run: "r", Kind: KindRaw, Page: "0"}
	first, err := l.Create(t.Context(), meta)
	require.NoError(t, err)
	second := land(t, l, meta, "second")
	_, err = io.WriteString(first, "first")
	require.NoError(t, err)
	entry, err := first.Commit(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, entry.ID, second.ID)
	got, err := readLanded(t, l, second.ID, second.SHA256)
	require.NoError(t, err)
	assert.Equal(t, "second", got)
}

func TestSafeName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if a != b {
			require.NotEqual(t, SafeName(a), SafeName(b))
		}
		if a != "" {
			require.True(t, validID(SafeName(a)+"/"+SafeName("x"+b)))
		}
	})
}

func TestParseConfig(t *testing.T) {
	for in, want := range map[string]Config{"": {}, "gridfs": {}, "dir:/var/padron": {Dir: "/var/padron"}} {
		got, err := ParseConfig(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		again, err := ParseConfig(got.String())
		require.NoError(t, err)
		assert.Equal(t, want, again)
	}
	relative, err := ParseConfig("dir:pages")
	require.NoError(t, err)
	assert.True(t, filepath.IsAbs(relative.Dir))
	for _, in := range []string{"dir:", "GridFS", "/var/padron", "s3:bucket"} {
		_, err := ParseConfig(in)
		require.ErrorContains(t, err, "PADRON_LANDING", in)
	}
}

func TestUnpackerTellsFaultsFromCorruption(t *testing.T) {
	fault := errors.New("connection lost")
	_, err := io.ReadAll(newUnpacker("id", io.NopCloser(faulty{readFault{fault}}), "", 0))
	require.ErrorIs(t, err, fault)
	require.NotErrorIs(t, err, ErrCorrupt)
}

type faulty struct{ err error }

func (f faulty) Read([]byte) (int, error) { return 0, f.err }
