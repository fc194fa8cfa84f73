import { type Uri, workspace } from "vscode";

/** True if a file is open with a text that is not saved, alone or as cells of a notebook. */
export function isUnsaved(uri: Uri): boolean {
  const isIt = (document: { readonly uri: Uri; readonly isDirty: boolean }): boolean =>
    document.isDirty && document.uri.toString() === uri.toString();
  return workspace.textDocuments.some(isIt) || workspace.notebookDocuments.some(isIt);
}
