package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"padron/deploy/dev/product"
)

// profileSeconds is the length of one CPU profile. A phase gets as many as fit.
const profileSeconds = 5

// profile takes CPU profiles of a worker, one after the other, until the
// returned function is called.
func (r *run) profile(ctx context.Context, phase string, worker product.Worker) (stop func() error) {
	if r.Profiles == "" {
		return func() error { return nil }
	}
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 1; ; n++ {
			name := strings.NewReplacer(" ", "-", ",", "", "%", "percent").Replace(phase)
			err := saveProfile(ctx, worker.Health, filepath.Join(r.Profiles, fmt.Sprintf("%s.%03d.pprof", name, n)))
			select {
			case <-done:
				ended <- err
				return
			default:
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() error { close(done); return <-ended }
}

func saveProfile(ctx context.Context, health, file string) error {
	address := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", health, profileSeconds)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("take a CPU profile: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("take a CPU profile: %s", answer.Status)
	}
	profile, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("take a CPU profile: %w", err)
	}
	return os.WriteFile(file, profile, 0o644)
}
