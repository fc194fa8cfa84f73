import { commands, type Uri } from "vscode";

/** The status board's file. */
const NAME = "STATUS_BOARD.md";

/** True for the status board of a repository. */
export function isBoard(document: Uri): boolean {
  return document.path.endsWith(`/${NAME}`);
}

/** Opens the board as it is meant to be read. */
export async function previewBoard(board: Uri): Promise<void> {
  await commands.executeCommand("markdown.showPreview", board);
}
