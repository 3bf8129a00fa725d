package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// buildBundle makes the dashboard's script and style, which the worker is then built with, where npm is present. That
// it cannot is no failure: the pages show their numbers as tables then, and say so.
func (s *Stack) buildBundle(ctx context.Context) {
	web := filepath.Join(s.Dirs.Root, "dashboard", "web")
	npm, err := exec.LookPath("npm")
	if err != nil || !older(filepath.Join(web, "dist", ".vite", "manifest.json"), web) {
		return
	}
	err = s.Steps.Do("Charts", "building the dashboard's charts (npm)", func() (string, error) {
		log, err := s.openLog("npm")
		if err != nil {
			return "", err
		}
		for _, args := range [][]string{{"ci", "--no-audit", "--no-fund"}, {"run", "build"}} {
			cmd := exec.CommandContext(ctx, npm, args...)
			cmd.Dir, cmd.Stdout, cmd.Stderr = web, log, log
			if err := cmd.Run(); err != nil {
				return "", fmt.Errorf("npm %s: %w (log: %s)", args[0], err, log.Name())
			}
		}
		return "the dashboard's charts", nil
	})
	if err != nil && ctx.Err() == nil {
		s.Steps.Say("Charts", "the dashboard shows tables only: %v", err)
	}
}

// older says whether a file is missing, or older than a source of the bundle in a folder; never when the folder has
// nothing to build.
func older(file, folder string) bool {
	if _, err := os.Stat(filepath.Join(folder, "package.json")); err != nil {
		return false
	}
	var built time.Time
	if info, err := os.Stat(file); err == nil {
		built = info.ModTime()
	}
	newer := errors.New("newer")
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); path != folder && (name == "node_modules" || name == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(built) {
			return newer
		}
		return err
	})
	return err != nil
}
