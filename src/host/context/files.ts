// The text of files that the user has opened, or that a definition led to, in VS Code.
import * as vscode from 'vscode';
import { isSecretFile } from './secrets';

/** Larger files are generated more often than written, in bytes. */
const MAX_BYTES = 200_000;

/** A file as the model may see it. */
export interface FileText {
  /** Workspace-relative, with forward slashes. */
  path: string;
  text: string;
  /** Changes with the text. */
  stamp: string;
}

/** Reads a file, unless it is secret, large, or outside the workspace that the user trusts. */
export async function readFile(uri: vscode.Uri): Promise<FileText | undefined> {
  const { workspace } = vscode;
  if (!workspace.isTrusted || !workspace.getWorkspaceFolder(uri)) return undefined;
  const path = workspace.asRelativePath(uri, false).replaceAll('\\', '/');
  if (isSecretFile(uri.path)) return undefined;
  const open = workspace.textDocuments.find((other) => other.uri.toString() === uri.toString());
  if (open) {
    const text = open.getText();
    return text.length > MAX_BYTES ? undefined : { path, text, stamp: `v${open.version}` };
  }
  try {
    const { size, mtime } = await workspace.fs.stat(uri);
    if (size > MAX_BYTES) return undefined;
    const text = new TextDecoder().decode(await workspace.fs.readFile(uri));
    return text.includes('\0') ? undefined : { path, text, stamp: `m${mtime}` };
  } catch {
    return undefined; // It was deleted or renamed since it was open.
  }
}
