package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"padron/internal/mirror"
)

// rehash looks at every stored document and change event: what `starter verify
// --deep` adds to a certificate.
func (a *Activities) rehash(ctx context.Context, o *opened, planned []mirror.RunRange) ([]mirror.Check, error) {
	in := mirror.RehashInput{Silent: func(path string) bool { return slices.Contains(o.spec.Silent, path) }}
	for _, r := range planned {
		in.Ranges = append(in.Ranges, r.Range)
	}
	var report mirror.DeepReport
	err := a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if in.FirstLoads, err = o.mirror.FirstLoads(ctx); err != nil {
			return err
		}
		report, err = o.mirror.Rehash(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	checks := []mirror.Check{{Name: "deep", OK: len(report.Findings) == 0, Detail: fmt.Sprintf(
		"%s documents hashed anew, %s change events held against their versions", humanize.Comma(report.Documents), humanize.Comma(report.Events))}}
	for _, f := range report.Findings {
		checks = append(checks, mirror.Check{Name: "deep " + f.Kind, Detail: fmt.Sprintf("%s: %s", humanize.Comma(f.Count), strings.Join(f.Keys, ", "))})
	}
	return checks, nil
}
