package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// completeTimeout bounds the time that a shell waits for completions.
const completeTimeout = time.Second

// complete returns the names of all objects of a kind. Without a controller there are none.
func (a *app) complete(cmd *cobra.Command, k kind) ([]cobra.Completion, cobra.ShellCompDirective) {
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmp.Or(cmd.Context(), context.Background()), completeTimeout)
	defer cancel()
	body, err := c.get(ctx, "/api/v1/"+k.name)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := k.names(body)
	for i := range names {
		names[i] = spelling.Printable(names[i])
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// kindNamed returns a kind by its name.
func kindNamed(name string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
}

// completionCommand prints a shell's completion script.
func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a completion script for a shell",
		Example: `  source <(eosin completion bash)
  eosin completion zsh > "${fpath[1]}/_eosin"
  eosin completion fish > ~/.config/fish/completions/eosin.fish`,
		DisableFlagsInUseLine: true,
		ValidArgs:             shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("completion takes one shell: bash, zsh or fish")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return usageErrorf("completion knows bash, zsh and fish, not %q", args[0])
		},
	}
}
