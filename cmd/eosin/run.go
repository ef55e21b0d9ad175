package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// Exit statuses. Those of probe are part of the public contract.
const (
	exitOK     = 0
	exitFailed = 1 // the command ran and the result is negative: probes were lost, the file has errors
	exitUsage  = 2 // wrong command line
	exitCannot = 3 // the command could not be run
)

// exitError ends the program with a status. With a nil err nothing more is printed.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf reports a wrong command line.
func usageErrorf(format string, args ...any) error {
	return &exitError{status: exitUsage, err: fmt.Errorf(format, args...)}
}

// failf reports that the command could not be run.
func failf(format string, args ...any) error {
	return &exitError{status: exitCannot, err: fmt.Errorf(format, args...)}
}

// run is main without the process, for tests. It returns the exit status.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(env, stdout, stderr).run(ctx, args, stdin)
}

// run runs a command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string, stdin io.Reader) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	// Errors without a status are cobra's, about the command line.
	status := &exitError{status: exitUsage, err: err}
	errors.As(err, &status)
	if status.err != nil {
		fmt.Fprintf(a.stderr, "eosin: %s\n", strings.TrimSpace(status.err.Error()))
		if status.status == exitUsage {
			fmt.Fprintf(a.stderr, "See '%s --help'.\n", cmd.CommandPath())
		}
	}
	return status.status
}

// markFailures gives errors of the commands that have no status exitFailed, so that those without one are cobra's usage
// errors.
func markFailures(cmd *cobra.Command) {
	if work := cmd.RunE; work != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := work(cmd, args)
			var status *exitError
			if err == nil || errors.As(err, &status) {
				return err
			}
			return &exitError{status: exitFailed, err: err}
		}
	}
	for _, sub := range cmd.Commands() {
		markFailures(sub)
	}
}

// flagError adds a suggestion to the error about an unknown flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	name := unknown.GetSpecifiedName()
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	meant := spelling.Suggest(name, names)
	if i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, name) }); meant == "" && i >= 0 {
		meant = names[i]
	}
	if meant != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, meant)
	}
	return err
}
