for (const label of document.querySelectorAll("label.filter")) {
  const input = label.querySelector("input");
  const lines = document.getElementById(input.dataset.filter).children;
  label.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(wanted);
  });
}
