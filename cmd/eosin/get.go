package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config/spelling"
)

// filterHelp is the help of the flags that filter a list.
var filterHelp = map[string]string{
	"switch":  "only those of this switch",
	"network": "only those in this network",
	"table":   "only flows of this table number",
}

// getCommand lists what the controller knows.
func (a *app) getCommand() *cobra.Command {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	get := &cobra.Command{
		Use:   "get " + strings.Join(names, "|") + " [NAME]",
		Short: "Show switches, ports, hosts, links, networks, tunnels, flows, probes or the mesh",
		Example: `  eosin get switches
  eosin get hosts vm1 -o json
  eosin get ports --switch host1
  eosin get mesh --watch`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("get what? One of %s", strings.Join(names, ", "))
			}
			text := fmt.Sprintf("there is no kind %q; the kinds are %s", args[0], strings.Join(names, ", "))
			if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
				text += fmt.Sprintf("; did you mean %s?", meant[0])
			}
			return usageErrorf("%s", text)
		},
		Args: cobra.ArbitraryArgs,
	}
	get.SuggestionsMinimumDistance = 2
	for _, k := range kinds {
		get.AddCommand(a.getKindCommand(k))
	}
	return get
}

// getKindCommand lists objects of one kind.
func (a *app) getKindCommand(k kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:     k.name + " [NAME]",
		Aliases: k.aliases,
		Short:   k.short,
		Example: fmt.Sprintf("  eosin get %[1]s\n  eosin get %[1]s %[2]s -o json", k.name, k.example),
		Args:    cobra.MaximumNArgs(1),
	}
	form := addOutput(cmd)
	var watch bool
	every := probespec.Duration(2 * time.Second)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again until interrupted")
	cmd.Flags().TextVar(&every, "every", every, "`duration` between two looks with --watch")
	for _, name := range k.filters {
		cmd.Flags().String(name, "", filterHelp[name])
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion,
		cobra.ShellCompDirective,
	) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.complete(cmd, k)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if every <= 0 {
			return usageErrorf("--every must be above 0")
		}
		path, err := listPath(cmd, k, args)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if !watch {
			return a.show(cmd.Context(), c, k, path, *form)
		}
		return a.watch(cmd.Context(), time.Duration(every), func(ctx context.Context) error {
			return a.show(ctx, c, k, path, *form)
		})
	}
	return cmd
}

// listPath returns the path and query of a list, or of one object.
func listPath(cmd *cobra.Command, k kind, args []string) (string, error) {
	path := "/api/v1/" + k.name
	query := url.Values{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(k.filters, f.Name) {
			query.Set(f.Name, f.Value.String())
		}
	})
	if len(args) == 1 {
		if args[0] == "" {
			return "", usageErrorf("the name is empty")
		}
		if len(query) > 0 {
			return "", usageErrorf("give either a name, or flags that narrow the list")
		}
		return path + "/" + url.PathEscape(args[0]), nil
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, nil
}

// show prints a list once.
func (a *app) show(ctx context.Context, c *client, k kind, path string, form output) error {
	body, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	if form == outputJSON {
		return writeIndented(a.stdout, body)
	}
	t, err := k.table(a, body)
	if err != nil {
		return failf("the answer of %s cannot be read: %w", c.base, err)
	}
	if len(t.rows) == 0 {
		fmt.Fprintf(a.stderr, "no %s\n", k.name)
		return nil
	}
	if err := writeTable(a.stdout, t.header, t.rows); err != nil {
		return err
	}
	for _, note := range t.notes {
		fmt.Fprintln(a.stdout, spelling.Printable(note))
	}
	return nil
}

// watch repeats look until ctx ends. On a terminal each output replaces the one before. A failure after the first look
// is printed and the look repeated.
func (a *app) watch(ctx context.Context, every time.Duration, look func(context.Context) error) error {
	clear := ""
	if isTerminal(a.stdout) {
		clear = "\x1b[H\x1b[2J"
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		switch {
		case clear != "":
			fmt.Fprint(a.stdout, clear)
		case !first:
			fmt.Fprintln(a.stdout)
		}
		if err := look(ctx); err != nil && ctx.Err() == nil {
			if first {
				return err
			}
			fmt.Fprintf(a.stderr, "eosin: %v\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// writeIndented prints indented JSON.
func writeIndented(w io.Writer, body []byte) error {
	var text bytes.Buffer
	if err := json.Indent(&text, body, "", "  "); err != nil {
		return err
	}
	text.WriteByte('\n')
	_, err := w.Write(text.Bytes())
	return err
}
