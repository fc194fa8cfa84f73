import { type Tab, TabInputCustom, TabInputNotebook, TabInputText, TabInputTextDiff, type Uri, window } from "vscode";

/** The file in a tab, in whatever kind of editor; of two that are compared, the one that can be edited. */
export function fileIn(tab: Tab | undefined): Uri | undefined {
  const input = tab?.input;
  const uri =
    input instanceof TabInputText || input instanceof TabInputNotebook || input instanceof TabInputCustom
      ? input.uri
      : input instanceof TabInputTextDiff
        ? input.modified
        : undefined;
  return uri?.scheme === "file" ? uri : undefined;
}

/** The files in tabs, each once. */
export function openFiles(): Uri[] {
  return distinctFiles(window.tabGroups.all.flatMap((group) => group.tabs));
}

/** The files in the tabs in front, each once: an edit can be made in these at any moment. */
export function filesInFront(): Uri[] {
  return distinctFiles(window.tabGroups.all.map((group) => group.activeTab));
}

function distinctFiles(tabs: readonly (Tab | undefined)[]): Uri[] {
  const files = tabs.map(fileIn).filter((uri) => uri !== undefined);
  return [...new Map(files.map((uri) => [uri.toString(), uri])).values()];
}
