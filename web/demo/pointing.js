/** Moving a point on a plane by mouse, pen, finger or arrow keys. */

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Call `move` with the position of a pressed mouse, pen or finger; x and y from 0 to 1, y upwards. */
export function onDrag(plane, move) {
  const point = (event) => {
    const box = plane.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: 1 - (event.clientY - box.top) / box.height };
  };
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    move(point(event));
  });
  plane.addEventListener("pointermove", (event) => {
    if (plane.hasPointerCapture(event.pointerId)) move(point(event));
  });
}

/** Call `step` with the direction of an arrow key; five times as far with Shift. */
export function onArrows(plane, step) {
  plane.addEventListener("keydown", (event) => {
    if (!DIRECTIONS[event.key]) return;
    event.preventDefault(); // do not scroll
    const [dx, dy] = DIRECTIONS[event.key];
    step(dx * (event.shiftKey ? 5 : 1), dy * (event.shiftKey ? 5 : 1));
  });
}
