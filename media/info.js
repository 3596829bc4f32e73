// The page's only script: it shows what the extension sends and says what was clicked.
const vscode = acquireVsCodeApi();

document.addEventListener('click', ({ target }) => {
  const command = target.closest?.('[data-command]')?.dataset.command;
  if (command) vscode.postMessage({ command });
});

addEventListener('message', ({ data: { sections = {}, focus } }) => {
  for (const [id, html] of Object.entries(sections)) {
    const element = document.getElementById(id);
    // What is the same stays, with its focus and what was unfolded.
    if (element.dataset.html !== html) {
      const open = [...element.querySelectorAll('details')].map((details) => details.open);
      element.innerHTML = html;
      element.querySelectorAll('details').forEach((details, i) => (details.open = open[i]));
      element.dataset.html = html;
    }
  }
  if (focus) document.getElementById(`${focus}-title`).focus();
});
