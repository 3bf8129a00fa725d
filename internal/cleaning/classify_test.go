package cleaning

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/dataset"
)

// specWith is the register's spec with texts in it replaced: old, new, old,
// new.
func specWith(t testing.TB, replace ...string) *dataset.Spec {
	t.Helper()
	data, err := os.ReadFile("../dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	text := string(data)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i])
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	spec, err := dataset.Parse([]byte(text), "changed.yaml")
	require.NoError(t, err)
	return spec
}

type columns map[string]any

// bakery is a row to begin with.
func bakery() columns {
	return columns{
		"ttxid": "0000024-01-001", "certificate_number": "0000024", "ownership_name": "Vale Ann", "dba_name": "Vale Bakery",
		"full_business_address": "1 Fig St", "city": "San Francisco", "state": "CA", "business_zip": "94110", "mailing_address_1": "9 Oak Ln",
		"dba_start_date": "2014-10-13T00:00:00.000", "location_start_date": "2014-10-13T00:00:00.000",
		"self_reported_naics_code": "722511", "supervisor_district": "9", "business_corridor": "Mission", "uniqueid": "24-1",
		":@computed_region_6qbp_sg9q": "53", "location": map[string]any{"type": "Point", "coordinates": []float64{-122.4212, 37.7599}},
	}
}

// with is the row after an edit; nil takes a value away.
func (c columns) with(edit columns) columns {
	edited := maps.Clone(c)
	maps.Copy(edited, edit)
	maps.DeleteFunc(edited, func(_ string, v any) bool { return v == nil })
	return edited
}

func (c columns) document(t testing.TB, spec *dataset.Spec) bson.Raw {
	t.Helper()
	cleaner, err := New(spec)
	require.NoError(t, err)
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	row, err := cleaner.Clean(raw)
	require.NoError(t, err)
	require.Empty(t, row.Quarantine)
	return row.Document
}

func TestClassifyKinds(t *testing.T) {
	spec := specWith(t)
	k, err := NewClassifier(spec, nil)
	require.NoError(t, err)
	const ended, later = "2024-02-29T00:00:00.000", "2024-03-31T00:00:00.000"
	for _, test := range []struct {
		name  string
		edit  columns
		kinds []string
		back  []string // of the edit undone
	}{
		{"nothing", columns{}, nil, nil},
		{"untracked", columns{"uniqueid": "new-24-1", ":@computed_region_6qbp_sg9q": nil, ":@computed_region_qgnn_b9vv": "3"}, nil, nil},
		{"volatile", columns{"data_as_of": ended}, nil, nil},
		{"location ends", columns{"location_end_date": ended}, []string{"closed"}, []string{"reopened"}},
		{"business ends", columns{"dba_end_date": ended, "location_end_date": ended}, []string{"closed"}, []string{"reopened"}},
		{"closed by the authority", columns{"administratively_closed": "***Administratively Closed"}, []string{"closed"}, []string{"reopened"}},
		{"closes under another name elsewhere", columns{"location_end_date": ended, "dba_name": "Vale Cakes", "full_business_address": "2 Fig St"}, []string{"closed", "moved", "renamed"}, []string{"reopened", "moved", "renamed"}},
		{"address", columns{"full_business_address": "2 Fig St"}, []string{"moved"}, []string{"moved"}},
		{"city", columns{"city": "Oakland", "state": "CA"}, []string{"moved"}, []string{"moved"}},
		{"zip goes", columns{"business_zip": nil}, []string{"moved"}, []string{"moved"}},
		{"point", columns{"location": map[string]any{"type": "Point", "coordinates": []float64{-122.4213, 37.7599}}}, []string{"moved"}, []string{"moved"}},
		{"mail address", columns{"mailing_address_1": "10 Oak Ln"}, []string{"updated"}, []string{"updated"}},
		{"name", columns{"dba_name": "Vale Cakes"}, []string{"renamed"}, []string{"renamed"}},
		{"owner", columns{"ownership_name": "Vale Bea"}, []string{"renamed"}, []string{"renamed"}},
		{"name goes", columns{"dba_name": nil}, []string{"renamed"}, []string{"renamed"}},
		{"name and industry", columns{"dba_name": "Vale Cakes", "self_reported_naics_code": "445291"}, []string{"renamed"}, []string{"renamed"}},
		{"only how the name is written", columns{"dba_name": "Vale  Bakery"}, []string{"updated"}, []string{"updated"}},
		{"industry", columns{"self_reported_naics_code": "445291"}, []string{"updated"}, []string{"updated"}},
		{"license comes", columns{"lic": "H25"}, []string{"updated"}, []string{"updated"}},
		{"untracked and not", columns{"uniqueid": "new-24-1", "business_corridor": "Valencia"}, []string{"updated"}, []string{"updated"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, changed := bakery().document(t, spec), bakery().with(test.edit).document(t, spec)
			for _, direction := range []struct {
				from, to bson.Raw
				want     []string
			}{{old, changed, test.kinds}, {changed, old, test.back}} {
				kinds, cause, err := k.Classify(direction.from, direction.to, true)
				require.NoError(t, err)
				assert.Equal(t, direction.want, kinds)
				if kinds != nil {
					assert.Equal(t, CauseSource, cause)
				}
			}
		})
	}
	closed := bakery().with(columns{"location_end_date": ended})
	kinds, _, err := k.Classify(closed.document(t, spec), closed.with(columns{"location_end_date": later}).document(t, spec), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"updated"}, kinds, "closed on another day")

	kinds, cause, err := k.Classify(nil, bakery().document(t, spec), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"opened"}, kinds)
	assert.Equal(t, CauseSource, cause)
	kinds, _, err = k.Classify(nil, closed.document(t, spec), false)
	require.NoError(t, err)
	assert.Equal(t, []string{"opened", "closed"}, kinds)
}

func TestClassifyCause(t *testing.T) {
	const owner = `path: ownership_name, from: [ownership_name], type: text, rules: [name], sensitive: true`
	const corridor = `  - {path: corridor, from: [business_corridor], type: text}` + "\n"
	// What the spec said before the change, as replacements in today's. The
	// rows are read by the portal's columns of then and now.
	for _, test := range []struct {
		name       string
		former     []string // replacements that make the former spec; none: the same
		cameOrWent []string
		row        columns // edit of both rows
		edit       columns // of the new one
		kinds      []string
		cause      string
	}{
		{"a rule came", []string{"suffixes: [ca, calif, california, usa]", "suffixes: []"}, nil, columns{"city": "San Francisco Calif"}, nil, []string{"moved"}, CauseRules},
		{"a rule came, and the row changed", []string{"suffixes: [ca, calif, california, usa]", "suffixes: []"}, nil, columns{"city": "San Francisco Calif"}, columns{"dba_name": "Vale Cakes"}, []string{"moved", "renamed"}, CauseSource},
		{"a rule came, and the row closed", []string{"suffixes: [ca, calif, california, usa]", "suffixes: []"}, nil, columns{"city": "San Francisco Calif"}, columns{"location_end_date": "2024-02-29T00:00:00.000"}, []string{"closed", "moved"}, CauseSource},
		{"a search came", []string{"rules: [address], search: true", "rules: [address]"}, nil, nil, nil, []string{"updated"}, CauseRules},
		{"a column is stored now", []string{corridor, "", "\nfields:", "ignored: {business_corridor: not wanted}\n\nfields:"}, nil, nil, nil, []string{"updated"}, CauseRules},
		{"a column came and is stored now", []string{corridor, ""}, []string{"business_corridor"}, nil, nil, []string{"updated"}, CauseSchema},
		{"a column is stored now, another changed", []string{corridor, ""}, nil, nil, columns{"dba_name": "Vale Cakes"}, []string{"renamed"}, CauseSource},
		{"a field is not there any more", []string{corridor, corridor + "  - {path: mood, from: [mood], type: text}\n"}, nil, columns{"mood": "good"}, nil, []string{"updated"}, CauseRules},
		{"a field has another path", []string{"path: corridor,", "path: street_corridor,"}, nil, nil, nil, []string{"updated"}, CauseRules},
		{"a field was one of a group", []string{"path: corridor,", "path: area.corridor,"}, nil, nil, nil, []string{"updated"}, CauseRules},
		{"a field was dropped", []string{owner, owner + ", drop: true"}, nil, nil, nil, []string{"renamed"}, CauseRules},
		{"another type", []string{"path: taxes.parking_tax, from: [parking_tax], type: bool", "path: taxes.parking_tax, from: [parking_tax], type: text, portal_types: [checkbox]"}, nil, columns{"parking_tax": "true"}, nil, []string{"updated"}, CauseRules},
		{"an unreadable value of another type", []string{"path: corridor, from: [business_corridor], type: text", "path: corridor, from: [business_corridor], type: number"}, nil, columns{"business_corridor": "7"}, nil, []string{"updated"}, CauseRules},
		{"other order of columns", []string{"[self_reported_naics_code, naic_code]", "[naic_code, self_reported_naics_code]"}, nil, columns{"self_reported_naics_code": nil, "naic_code": "722511"}, nil, []string{"updated"}, CauseRules},
		{"a column came", nil, []string{"lic"}, nil, columns{"lic": "H25"}, []string{"updated"}, CauseSchema},
		{"a column went", nil, []string{"business_corridor"}, nil, columns{"business_corridor": nil}, []string{"updated"}, CauseSchema},
		{"a column was renamed", nil, []string{"naic_code", "self_reported_naics_code"}, columns{"self_reported_naics_code": "722511"}, columns{"self_reported_naics_code": nil, "naic_code": "722511"}, []string{"updated"}, CauseSchema},
		{"a second column of a field came", nil, []string{"naic_code"}, columns{"self_reported_naics_code": "722511"}, columns{"naic_code": "445291"}, []string{"updated"}, CauseSchema},
		{"a column came, and the row changed", nil, []string{"lic"}, nil, columns{"lic": "H25", "dba_name": "Vale Cakes"}, []string{"renamed"}, CauseSource},
		{"a column came that the row lacks", nil, []string{"lic"}, nil, columns{"dba_name": "Vale Cakes"}, []string{"renamed"}, CauseSource},
		{"another column came", nil, []string{"mood"}, nil, columns{"lic": "H25"}, []string{"updated"}, CauseSource},
		{"untracked fields, under another spec", []string{"rows: 500", "rows: 501"}, nil, nil, columns{"uniqueid": "new"}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec, former := specWith(t), specWith(t, test.former...)
			k, err := NewClassifier(spec, test.cameOrWent)
			require.NoError(t, err)
			before, err := New(former)
			require.NoError(t, err)
			k.Before(slices.Collect(maps.Keys(before.Profile().Missing)))
			row := bakery().with(test.row)
			kinds, cause, err := k.Classify(row.document(t, former), row.with(test.edit).document(t, spec), test.former == nil)
			require.NoError(t, err)
			assert.Equal(t, test.kinds, kinds)
			assert.Equal(t, test.cause, cause)
		})
	}

	t.Run("a field is dropped", func(t *testing.T) {
		former, spec := specWith(t), specWith(t, owner, owner+", drop: true", "path: districts.unique_id,", "path: districts.unique_id, drop: true,")
		k, err := NewClassifier(spec, nil)
		require.NoError(t, err)
		kinds, cause, err := k.Classify(bakery().document(t, former), bakery().document(t, spec), false)
		require.NoError(t, err)
		assert.Equal(t, []string{"updated"}, kinds)
		assert.Equal(t, CauseRules, cause)

		former = specWith(t, owner, owner+", drop: true")
		kinds, _, err = k.Classify(bakery().document(t, former), bakery().document(t, spec), false)
		require.NoError(t, err)
		assert.Nil(t, kinds, "it was untracked")
	})
	t.Run("without what was mapped before", func(t *testing.T) {
		k, err := NewClassifier(specWith(t), nil)
		require.NoError(t, err)
		_, cause, err := k.Classify(bakery().document(t, specWith(t, corridor, "")), bakery().document(t, specWith(t)), false)
		require.NoError(t, err)
		assert.Equal(t, CauseSource, cause)
	})
}

func TestClassifyErrors(t *testing.T) {
	spec := specWith(t)
	k, err := NewClassifier(spec, nil)
	require.NoError(t, err)
	good := bakery().document(t, spec)
	_, _, err = k.Classify(good[:len(good)-1], good, true)
	require.EqualError(t, err, "old document: not BSON")
	_, _, err = k.Classify(good, nil, true)
	require.Error(t, err)
	_, _, err = k.Classify(nil, bson.Raw("nonsense"), true)
	require.EqualError(t, err, "new document: not BSON")
}

// plain is a document as maps, without untracked paths.
func plain(t require.TestingT, spec *dataset.Spec, doc bson.Raw) map[string]any {
	var m bson.M
	decoder := bson.NewDecoder(bson.NewDocumentReader(strings.NewReader(string(doc))))
	decoder.DefaultDocumentM()
	require.NoError(t, decoder.Decode(&m))
	for _, path := range spec.Untracked {
		group, leaf, _ := strings.Cut(path, ".")
		if of, ok := m[group].(bson.M); ok {
			if delete(of, leaf); len(of) == 0 {
				delete(m, group)
			}
		}
	}
	return m
}

func TestClassifyProperties(t *testing.T) {
	spec := specWith(t)
	c := newCleaner(t)
	k, err := NewClassifier(spec, nil)
	require.NoError(t, err)
	precedence := []string{ChangeClosed, ChangeReopened, ChangeMoved, ChangeRenamed, ChangeUpdated}
	rapid.Check(t, func(t *rapid.T) {
		clean := func() bson.Raw {
			raw, _ := dirtyRow(t, c)
			row, err := c.Clean([]byte(raw))
			require.NoError(t, err)
			if row.Quarantine != "" {
				return nil
			}
			var d bson.D
			require.NoError(t, bson.Unmarshal(row.Document, &d))
			d[0].Value = "1" // both are of one key
			d = slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "location_id" })
			doc, err := bson.Marshal(d)
			require.NoError(t, err)
			return doc
		}
		old, changed := clean(), clean()
		if old == nil || changed == nil {
			return
		}
		if rapid.IntRange(0, 3).Draw(t, "same") == 0 {
			changed = slices.Clone(old)
		}
		kinds, cause, err := k.Classify(old, changed, true)
		require.NoError(t, err)
		if assert.ObjectsAreEqual(plain(t, spec, old), plain(t, spec, changed)) {
			require.Nil(t, kinds)
		} else {
			require.NotEmpty(t, kinds)
			require.Equal(t, CauseSource, cause)
		}
		at := -1
		for _, kind := range kinds {
			next := slices.Index(precedence, kind)
			require.Greater(t, next, at, "%v", kinds)
			at = next
		}
		back, _, err := k.Classify(changed, old, true)
		require.NoError(t, err)
		require.Equal(t, slices.Contains(kinds, ChangeClosed), slices.Contains(back, ChangeReopened))
		require.Equal(t, slices.Contains(kinds, ChangeMoved), slices.Contains(back, ChangeMoved))

		kinds, cause, err = k.Classify(old, changed, false)
		require.NoError(t, err)
		if kinds != nil {
			was, err := c.Source(old)
			require.NoError(t, err)
			is, err := c.Source(changed)
			require.NoError(t, err)
			same := assert.ObjectsAreEqual(was, is)
			if same {
				require.Equal(t, CauseRules, cause)
			}
		}
	})
}

func FuzzClassify(f *testing.F) {
	spec := specWith(f)
	good := bakery().document(f, spec)
	f.Add([]byte(good), true)
	f.Add([]byte(good), false)
	f.Add([]byte(bakery().document(f, specWith(f, "path: corridor,", "path: area.corridor,"))), false)
	k, err := NewClassifier(spec, []string{"lic"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, old []byte, sameSpec bool) {
		kinds, cause, err := k.Classify(old, good, sameSpec)
		if err != nil {
			return
		}
		require.Equal(t, kinds == nil, cause == "")
	})
}

func TestIsUntracked(t *testing.T) {
	k, err := NewClassifier(specWith(t, "untracked:\n", "untracked:\n  - corridor\n"), nil)
	require.NoError(t, err)
	for path, want := range map[[2]string]bool{
		{"districts", "unique_id"}: true, {"", "corridor"}: true,
		{"taxes", "unique_id"}: false, {"districts", "uniqueid"}: false, {"", "unique_id"}: false, {"", "districts"}: false, {"corridor", "corridor"}: false,
	} {
		assert.Equal(t, want, k.isUntracked(stranger{group: []byte(path[0]), name: []byte(path[1])}), "%v", path)
	}
}

// TestACopyOfTheFirstField is no source of a change itself.
func TestACopyOfTheFirstField(t *testing.T) {
	spec := specWith(t, "fields:\n", "fields:\n  - {path: door, from: [door], type: point}\n  - {path: shown, copy: door, type: point_text}\n")
	k, err := NewClassifier(spec, []string{"door"})
	require.NoError(t, err)
	after := bakery().with(columns{"door": map[string]any{"type": "Point", "coordinates": []float64{-122.4, 37.75}}})
	kinds, cause, err := k.Classify(bakery().document(t, spec), after.document(t, spec), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"updated"}, kinds)
	assert.Equal(t, CauseSchema, cause)
}
