package socrata

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func split(r io.Reader) (rows []string, err error) {
	for row, err := range SplitRows(r) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, string(row))
	}
	return rows, nil
}

func TestSplitRows(t *testing.T) {
	long := `{"k":"` + strings.Repeat(`x\"}`, 3*copyBytes/4) + `"}`
	for body, want := range map[string][]string{
		"[]":                              nil,
		" " + "[ \n]" + " \t":             nil,
		`[{}]`:                            {"{}"},
		`[ {"a":1} , {"b":[{}]} ]` + "\n": {`{"a":1}`, `{"b":[{}]}`},
		`[{"a":"}]{[\\"},{"\"":"\\\""}]`:  {`{"a":"}]{[\\"}`, `{"\"":"\\\""}`},
		"[" + long + "\n," + long + "]":   {long, long},
	} {
		for _, r := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body))} {
			rows, err := split(r)
			require.NoError(t, err)
			assert.Equal(t, want, rows)
		}
	}
	for _, body := range []string{"", " ", "[", "{}", "[[]]", "[1]", "[,{}]", "[{},]", "[{}{}]", "[{}", "[{},", `[{"a":"}]`, "[{}]]", "[{}]{", "[{}}", "x"} {
		_, err := split(strings.NewReader(body))
		require.Error(t, err, body)
	}
	broken := errors.New("the disk is gone")
	for _, body := range []string{"", "[", "[{", "[{}", "[{}]"} {
		_, err := split(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, "%q: nothing is whole before its checksum was read", body)
	}
	_, err := split(io.MultiReader(strings.NewReader(`[{"k":"`), endless{}))
	require.ErrorContains(t, err, "a row of more than")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// What Rows takes, SplitRows cuts into the same rows; whatever it is given it
// comes to an end.
func FuzzSplitRows(f *testing.F) {
	f.Add(registerPage(3))
	f.Add([]byte(`[ {"a":"\\\"","b":[{"c":"]"}]} , {} ]`))
	f.Add([]byte(`[{"a":"x`))
	f.Add([]byte("[{}{}]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var want []string
		valid := true
		for row, err := range Rows(bytes.NewReader(body)) {
			if valid = err == nil; valid {
				want = append(want, string(row))
			}
		}
		got, err := split(iotest.HalfReader(bytes.NewReader(body)))
		if !valid {
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func BenchmarkSplitRows(b *testing.B) {
	const rows = 20_000
	page := registerPage(rows)
	b.ReportAllocs()
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		n := 0
		for _, err := range SplitRows(bytes.NewReader(page)) {
			require.NoError(b, err)
			n++
		}
		require.Equal(b, rows, n)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(rows*b.N), "us/row")
}
